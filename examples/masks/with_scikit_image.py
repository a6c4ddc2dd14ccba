"""scikit-image: measures of each class's region: ``python -m examples.masks.with_scikit_image``."""

from skimage.measure import regionprops

from app.client import Client

with Client("http://127.0.0.1:8000") as client:
    mask = client.segment("examples/cat.jpg").mask
for region in regionprops(mask):  # one for each class but 0
    print(f"class {region.label}: {region.area:.0f} pixels in rows and columns {region.bbox}")
