"""A photo of a piece of cloth: plaid flannel on a table, seen at an angle."""

from pathlib import Path

import cv2
import numpy as np

from catalog import Catalog

CORNERS = np.float32([[250, 130], [930, 90], [1040, 760], [170, 800]])  # of the cloth, in pixels
SIZE = (1200, 900)
TABLE = (120, 140, 160)


def photograph(path: Path) -> Path:
    catalog = Catalog()
    texture = catalog.texture(catalog.get("flannel-plaid").textures["diffuse"].filename)
    cloth = np.tile(cv2.resize(cv2.imread(str(texture)), (450, 450), interpolation=cv2.INTER_AREA), (2, 2, 1))
    flat = np.float32([[0, 0], [900, 0], [900, 900], [0, 900]])
    picture = np.full((SIZE[1], SIZE[0], 3), TABLE, np.uint8)
    matrix = cv2.getPerspectiveTransform(flat, CORNERS)
    cv2.warpPerspective(cloth, matrix, SIZE, picture, borderMode=cv2.BORDER_TRANSPARENT)
    cv2.imwrite(str(path), picture)
    return path
