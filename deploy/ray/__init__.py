"""The service on a Ray cluster: as a Ray Serve application, and over folders of files with Ray Data."""
