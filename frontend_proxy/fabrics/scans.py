"""`POST /api/fabric/scan`: make a material from a photo of cloth, and save it in the catalog on request."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from catalog import Catalog, FabricDetails
from fabric import ScanOptions, scan
from frontend_proxy.answer_schemas import URL_FIELDS
from frontend_proxy.errors import ImageTooLarge
from frontend_proxy.fabrics.catalog_routes import Fabrics, translated_errors
from frontend_proxy.fabrics.scan_answer import scan_answer, scan_to_json
from frontend_proxy.schemas import ScanRequest
from frontend_proxy.settings import Settings
from frontend_proxy.web.body import read_model
from frontend_proxy.worker import Worker


class Scans:
    def __init__(self, settings: Settings, catalog: Catalog, fabrics: Fabrics, worker: Worker) -> None:
        self._settings = settings
        self._catalog = catalog
        self._fabrics = fabrics
        self._worker = worker

    async def create(self, request: Request) -> Response:
        """Takes a `ScanRequest`, as JSON, as a form, or as the photo alone, and answers with a `ScanResult`.

        Raises BodyTooLarge, UnsupportedMediaType, InvalidInput, UndecodableImage, ImageTooLarge, Overloaded,
        InsufficientStorage, StorageUnavailable.
        """
        wanted = await read_model(request, ScanRequest, self._settings.max_scan_bytes)
        for field, image in (("image", wanted.image), ("image_flash", wanted.image_flash or b"")):
            if len(image) > self._settings.max_photo_bytes:
                raise ImageTooLarge(
                    f"{field}: the file has {len(image)} bytes; send at most {self._settings.max_photo_bytes}"
                )
        with translated_errors():
            options = ScanOptions(**wanted.options())
            name = (wanted.name or "").strip() or f"Scanned {options.fabric_class}"
            if wanted.save:
                answer = await self._scan_and_save(request, wanted, options, name)
            else:
                answer = await self._worker.run(scan_to_json, wanted.image, options, name, wanted.image_flash)
        return Response(answer, media_type="application/json")

    async def _scan_and_save(
        self, request: Request, wanted: ScanRequest, options: ScanOptions, name: str
    ) -> str:
        """The answer of a saved scan: its URLs and its `fabric_id` are the catalog's."""
        material = await self._worker.run(scan, wanted.image, options, wanted.image_flash)
        details = FabricDetails(
            name=name,
            tags=("scanned", options.fabric_class),
            tile_width_mm=material.quality["tile_width_mm"],
            fabric_class=material.fabric_class,
            roughness=material.roughness,
            metalness=material.metalness,
            material=material.material,
            quality=material.quality,
            provenance={
                "source": "POST /api/fabric/scan",
                "scanned_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "options": wanted.options(),
            },
        )
        fabric = await self._fabrics.changes.run(self._catalog.add, details, material.maps)
        entry = self._fabrics.entry(request, fabric)
        return scan_answer(
            material, fabric.id, name, {URL_FIELDS[role]: entry[URL_FIELDS[role]] for role in material.maps}
        )
