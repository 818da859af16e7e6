"""The fabrics that the app offers: reading, searching and storing them."""

from catalog.catalog import Catalog
from catalog.errors import CatalogError
from catalog.schema import Fabric, FabricDetails, Texture

__all__ = ["Catalog", "CatalogError", "Fabric", "FabricDetails", "Texture"]
