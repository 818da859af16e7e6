"""`/api/video`: a clip and a rendered layer in, the dressed clip out."""

import asyncio
import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from frontend_proxy.captures.callers import owner_of
from frontend_proxy.errors import BodyTooLarge, NotFound
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.schemas import Video
from frontend_proxy.settings import Settings
from frontend_proxy.videos import film
from frontend_proxy.videos.poses import Poses
from frontend_proxy.videos.record import VideoDeleted, VideoRecord
from frontend_proxy.videos.service import VideoService
from frontend_proxy.web.answers import private_json
from frontend_proxy.web.body import read_model

_FILM_NAME = re.compile(r"film\.(mp4|webm)")


class VideoRoutes:
    """`base_url` returns the base of the URLs in a request's answer."""

    def __init__(
        self,
        settings: Settings,
        jobs: JobFactory,
        videos: VideoService,
        base_url: Callable[[Request], str],
    ) -> None:
        self._settings, self._jobs, self._videos, self._base_url = settings, jobs, videos, base_url

    async def create(self, request: Request) -> Response:
        """Accepts a `Video`, as a form or as JSON; answers 202 and a `VideoStatus`; `Location` has its URL.

        Raises BodyTooLarge, UnsupportedMediaType, InvalidInput, UndecodableImage, ImageTooLarge, Overloaded,
        InsufficientStorage.
        """
        video = await read_model(request, Video, self._settings.max_video_body_bytes)
        films = {film.VIDEO: video.video, film.LAYER: video.layer}
        films |= {film.MASK: video.mask} if video.mask else {}
        if sum(map(len, films.values())) > self._settings.max_video_bytes:
            most = self._settings.max_video_bytes
            raise BodyTooLarge(f"video, layer and mask have more than {most} bytes; send shorter films")
        poses = await asyncio.to_thread(Poses.read, video.poses)
        job = await self._jobs.video(video)
        record = await self._videos.accept(
            films, poses, job, video.format, self._base_url(request), owner_of(request)
        )
        return private_json(record.status(None), 202, {"Location": record.url})

    async def show(self, request: Request) -> Response:
        """`GET /api/video/{id}`: its `VideoStatus`. Raises NotFound."""
        record = await self._find_own(request)
        headers = {"Retry-After": "1"} if record.state == "running" else {}
        return private_json(record.status(self._videos.progress(record.result_id)), headers=headers)

    async def delete(self, request: Request) -> Response:
        """`DELETE /api/video/{id}`: delete it; cancel it if it is being made. Raises NotFound."""
        record = await self._find_own(request)
        await self._videos.remove(record.result_id)
        return private_json(VideoDeleted(video_id=record.result_id))

    async def film(self, request: Request) -> Response:
        """`GET /results/videos/{id}/{name}`: the finished film, also a range of it. Raises NotFound.

        A capability URL, as a capture's images have.
        """
        video_id, name = request.path_params["id"], request.path_params["name"]
        if not (found := _FILM_NAME.fullmatch(name)):
            raise NotFound(f"there is no film {name!r}")
        path = await self._videos.file(video_id, name)
        headers = {"Cache-Control": "private, no-store"}
        return FileResponse(path, headers=headers, media_type=f"video/{found[1]}")

    async def _find_own(self, request: Request) -> VideoRecord:
        """The film of this request's path. Raises NotFound, also if it belongs to another credential."""
        video_id = request.path_params["id"]
        record = await self._videos.find(video_id)
        if not record.belongs_to(owner_of(request)):
            raise NotFound(f"there is no film {video_id!r}, or it has expired")
        return record
