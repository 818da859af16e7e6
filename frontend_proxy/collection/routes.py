"""`/api/collect`: a row for fine-tuning, with the consent of the person whom it shows."""

import asyncio
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from frontend_proxy.captures.callers import owner_of
from frontend_proxy.captures.record import new_result_id, no_such_capture
from frontend_proxy.captures.service import CaptureService
from frontend_proxy.collection.messages import Collect, Collected, Uncollected
from frontend_proxy.collection.row import Pictures, make_row, texts
from frontend_proxy.collection.store import RowStore, folder_of
from frontend_proxy.errors import Forbidden, InvalidInput, NotFound
from frontend_proxy.images import read_header
from frontend_proxy.settings import Settings
from frontend_proxy.web.answers import private_json
from frontend_proxy.web.body import read_model
from frontend_proxy.worker import Worker

_PICTURES = ("user_image", "jacket_render", "garment_image", "mask", "photo")


class CollectionRoutes:
    def __init__(self, settings: Settings, captures: CaptureService, worker: Worker) -> None:
        self._settings, self._captures, self._worker = settings, captures, worker

    async def create(self, request: Request) -> Response:
        """Accepts a `Collect`, as a form or as JSON; answers 201 and a `Collected`.

        Raises Forbidden where nothing is collected, BodyTooLarge, UnsupportedMediaType, InvalidInput,
        UndecodableImage, ImageTooLarge, NotFound, Overloaded, InsufficientStorage, StorageUnavailable.
        """
        store = self._store()
        wanted = await read_model(request, Collect, self._settings.max_message_bytes)
        wanted.check()
        owner = owner_of(request)
        photo = wanted.photo if wanted.photo is not None else await self._accepted(wanted.result_id, owner)
        pictures = self._pictures(wanted, photo)
        files = await self._worker.run(make_row, pictures, wanted.blur_heads)
        row_id = new_result_id()
        answer = Collected(
            row_id=row_id,
            photo="capture" if wanted.photo is None else "photo",
            heads_blurred=wanted.blur_heads,
        )
        about = answer.model_dump(exclude={"success"}) | {
            "consent": True,
            "collected_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "owner": owner,
        }
        person = None if wanted.person is None else folder_of(wanted.person, owner)
        await asyncio.to_thread(store.add, row_id, person, files | texts(wanted.caption, about))
        return private_json(answer, 201)

    async def delete(self, request: Request) -> Response:
        """`DELETE /api/collect/{id}`: the person has changed their mind. Raises Forbidden, NotFound."""
        row_id = request.path_params["id"]
        await asyncio.to_thread(self._store().remove, row_id, owner_of(request))
        return private_json(Uncollected(row_id=row_id))

    def _store(self) -> RowStore:
        if self._settings.collect_dir is None:
            raise Forbidden("nothing is collected here: the server's COLLECT_DIR is not set")
        return RowStore(self._settings.collect_dir, self._settings.max_collected_rows)

    async def _accepted(self, result_id: str | None, owner: str | None) -> bytes:
        """The picture of the caller's own capture. Raises NotFound, InvalidInput."""
        assert result_id is not None
        record = await self._captures.find(result_id)
        if not record.belongs_to(owner):
            raise no_such_capture(result_id)
        if record.state != "succeeded" or record.light is not None or record.first_image is None:
            raise InvalidInput("result_id: that capture has no picture")
        image = await self._captures.image(result_id, record.first_image)
        if image is None:
            raise NotFound(f"the picture of capture {result_id!r} has expired")
        return image

    def _pictures(self, wanted: Collect, photo: bytes) -> Pictures:
        """Raises UndecodableImage, ImageTooLarge."""
        limits = self._settings.max_image_bytes, self._settings.max_image_pixels
        given = {name: getattr(wanted, name) for name in _PICTURES}
        for name, picture in given.items():
            if picture is not None:
                read_header(picture, name, *limits)
        return Pictures(
            wanted.user_image,
            photo,
            wanted.jacket_render,
            wanted.garment_image,
            wanted.mask,
            wanted.pose,
            # A capture shows the person where they were; in a photo of their own they may stand otherwise.
            wanted.pose if wanted.photo is None else wanted.photo_pose,
        )
