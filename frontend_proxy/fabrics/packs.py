"""`GET /api/fabric/{id}/pack?format=`: a fabric as one file for other programs."""

from starlette.requests import Request
from starlette.responses import Response

from catalog import Catalog, Fabric
from catalog.document import not_found
from fabric import EncodedImage, FabricError
from fabric.drape import NAMES
from fabric.packs import VERSION, PackedFabric, make_pack, pack_format
from frontend_proxy.errors import ProxyError
from frontend_proxy.fabrics.catalog_routes import Fabrics, drape_of, translated_errors
from frontend_proxy.web.etag import is_kept, kept_headers
from frontend_proxy.worker import Worker

DEFAULT_FORMAT = "gltf"
# What `<id>.json` and a GLB's extras tell besides name and licence.
_DETAILS = {"description", "tags", "fibre", "weave", "fabric_class", *NAMES}


class Packs:
    def __init__(self, catalog: Catalog, fabrics: Fabrics, worker: Worker) -> None:
        self._catalog = catalog
        self._fabrics = fabrics
        self._worker = worker

    async def show(self, request: Request) -> Response:
        """Raises InvalidInput for an unknown format, NotFound, Overloaded, StorageUnavailable."""
        fabric_id = request.path_params["id"]
        name = request.query_params.get("format") or DEFAULT_FORMAT
        with translated_errors():
            chosen = pack_format(name)
            fabric = await self._fabrics.reads.run(self._catalog.get, fabric_id)
            if fabric is None:
                raise not_found(fabric_id)
        # A pack follows from the fabric's document, which names each texture by its content.
        headers = kept_headers(VERSION, name, drape_of(fabric), fabric.model_dump_json())
        if is_kept(request, headers):
            return Response(status_code=304, headers=headers)
        packed = await self._fabrics.reads.run(self._read, fabric)
        try:
            pack = await self._worker.run(make_pack, packed, name)
        except FabricError as error:  # what the catalog has stored, not what the client has sent
            raise ProxyError(f"{error}; scan and save the fabric again") from error
        # Quick Look opens what is shown inline; everything else is kept as a file.
        kept = "inline" if name == "usdz" else "attachment"
        headers["Content-Disposition"] = f'{kept}; filename="{pack.filename}"'
        return Response(pack.data, media_type=chosen.media_type, headers=headers)

    def _read(self, fabric: Fabric) -> PackedFabric:
        """The fabric with its maps. Raises NotFound if a file is missing, StorageUnavailable."""
        with translated_errors():
            files = {
                role: (self._catalog.texture(texture.filename), texture.media_type)
                for role, texture in fabric.textures.items()
                if role != "thumbnail"
            }
        return PackedFabric(
            fabric.id,
            fabric.name,
            {role: EncodedImage(path.read_bytes(), media_type) for role, (path, media_type) in files.items()},
            fabric.roughness,
            fabric.metalness,
            fabric.material,
            fabric.tile_aspect,
            fabric.tile_width_mm,
            fabric.license,
            drape_of(fabric) | fabric.model_dump(mode="json", include=_DETAILS, exclude_none=True),
        )
