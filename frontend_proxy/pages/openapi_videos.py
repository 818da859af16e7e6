"""The OpenAPI description of films."""

from frontend_proxy.pages.openapi_operation import (
    FORM,
    JSON,
    Json,
    accepted,
    file,
    form,
    in_path,
    operation,
    reference,
    result_id,
)
from frontend_proxy.schemas import Video
from frontend_proxy.videos.record import VideoDeleted, VideoStatus

_VIDEO_ID = result_id("the `video_id`")

PATHS: Json = {
    "/api/video": {
        "post": operation(
            "try-on",
            "A clip and a rendered layer to the dressed clip",
            VideoStatus,
            body={FORM: form(Video), JSON: {"schema": reference(Video)}},
            errors=(400, 401, 408, 413, 415, 429, 503, 504, 507),
            answers={
                "202": accepted(VideoStatus),
            },
        )
    },
    "/api/video/{id}": {
        "parameters": [_VIDEO_ID],
        "get": operation("try-on", "State and result of a film", VideoStatus, errors=(401, 404, 429, 503)),
        "delete": operation("try-on", "Cancel and delete a film", VideoDeleted, errors=(401, 404, 429, 503)),
    },
    "/results/videos/{id}/{name}": {
        "get": file(
            "try-on",
            "A finished film, by its `url`",
            [_VIDEO_ID, in_path("name")],
            "video/mp4",
            "video/webm",
        )
    },
}
