"""The service on a Ray cluster: as a Ray Serve application, and for folders of files with Ray Data."""
