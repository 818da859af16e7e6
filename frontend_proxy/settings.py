"""Every setting of the proxy: a flag of `python -m frontend_proxy`, the environment, or `.env`."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from frontend_proxy.renamed_settings import OldNames
from frontend_proxy.setting_types import (
    Address,
    Addresses,
    Bucket,
    CommaSeparated,
    Origins,
    Rates,
    RateStorage,
    RedisURL,
    SigningSecret,
)
from frontend_proxy.storage_locations import overlap


class Settings(BaseSettings):
    """`.env.example` has each of these with its default. An empty value means the default."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        cli_prog_name="python -m frontend_proxy",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, OldNames(cls, env_settings, dotenv_settings)

    # Server
    host: str = Field(
        "::", description="address to listen on; :: is every address of IPv6 and IPv4, 0.0.0.0 of IPv4 alone"
    )
    port: int = Field(5000, ge=0, le=65535, description="port to listen on")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="base of texture URLs, origin of the server's own pages; by default the request's host",
    )
    forwarded_allow_ips: str = Field(
        "127.0.0.1,::1",
        description="reverse proxies whose X-Forwarded-* headers are trusted, by commas",
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None, pattern=r"^https?://", description="OTLP collector of traces, http://HOST:4318"
    )
    keep_alive_s: float = Field(
        75.0, gt=0, description="seconds that an idle connection stays open; more than a load balancer's"
    )
    shutdown_delay_s: float = Field(
        0.0, ge=0, description="seconds that /health/ready says no before the port closes"
    )
    shutdown_timeout_s: float = Field(
        8.0, gt=0, description="seconds that requests in progress may take to end after that"
    )
    log_format: Literal["text", "json"] = Field("text", description="log format, for people or programs")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level logged")
    debug: bool = Field(False, description="log at level debug, whatever LOG_LEVEL says")

    # Security
    cors_origins: Origins = Field(
        ["*"], description="origins whose pages may call and open sockets, by commas; * allows all"
    )
    api_keys: SecretStr = Field(
        SecretStr(""), description="API keys, by commas; without any, no key is needed"
    )
    api_keys_file: Path | None = Field(
        None, description="a file of API keys, one a line, read when it changes"
    )
    jwt_secret: SecretStr | None = Field(None, description="secret of HS256 tokens, 32 bytes or more")
    jwt_public_key_file: Path | None = Field(
        None, description="PEM file of the key that verifies RS256 tokens"
    )
    jwt_jwks_file: Path | None = Field(None, description="JWKS file of the keys that verify RS256 tokens")
    jwt_audience: str | None = Field(None, description="the aud that a token must have")
    jwt_issuer: str | None = Field(None, description="the iss that a token must have")
    rate_limit_per_address: Rates | None = Field(
        None, description="requests that one address may send, such as 20/second; 1000/hour"
    )
    rate_limit_per_key: Rates | None = Field(None, description="requests that one API key or token may send")
    rate_limit_storage: RateStorage | None = Field(
        None, description="where they are counted, such as redis://host:6379; by default REDIS_URL or memory"
    )

    # Triton
    triton_url: Address = Field("127.0.0.1:8001", description="Triton's gRPC address, host:port")
    triton_urls: Addresses = Field(
        [], description="addresses of several Tritons, by commas, or dns:///name:port; replaces TRITON_URL"
    )
    triton_slow_start_s: float = Field(
        10.0, ge=0, description="seconds in which a Triton that comes back gets less than its share"
    )
    triton_state_file: Path | None = Field(
        None, description="file in which `make serve` reports the state of Triton"
    )
    fast_inference_steps: int | None = Field(
        None, ge=1, description="denoising steps of a keyframe; by default the checkpoint's own"
    )
    quality_inference_steps: int | None = Field(
        None, ge=1, description="denoising steps of a capture; by default the checkpoint's own"
    )
    find_pose: bool = Field(
        True, description="find the pose of a capture that has a garment's photo, and neither pose nor mask"
    )
    keyframe_timeout_s: float = Field(
        5.0, gt=0, description="seconds from a keyframe's arrival until its plain composite is sent instead"
    )
    capture_timeout_s: float = Field(60.0, gt=0, description="seconds that a capture may take")
    video_timeout_s: float = Field(1800.0, gt=0, description="seconds that the making of a film may take")

    # Limits
    max_connections: int = Field(2000, ge=1, description="open connections, sockets included; beyond: 503")
    max_sockets_per_address: int = Field(
        500, ge=1, description="of them, sockets of one address; beyond: 429"
    )
    head_timeout_s: float = Field(10.0, gt=0, description="seconds that a request's head may take to arrive")
    body_timeout_s: float = Field(
        60.0, gt=0, description="seconds that a request's body or a WebSocket message may take to arrive"
    )
    max_image_bytes: int = Field(10 * 2**20, ge=1, description="bytes of one image, after base64")
    max_photo_bytes: int = Field(
        20 * 2**20, ge=1, description="bytes of one photo of a fabric: phones have 48 megapixels"
    )
    max_image_pixels: int = Field(25_000_000, ge=1, description="pixels of one image, by its header")
    max_steps: int = Field(50, ge=1, description="maximum of the denoising steps that a client may request")
    max_keyframes: int = Field(
        32, ge=1, description="keyframes at Triton at once; beyond: they wait briefly, then plain composites"
    )
    max_captures: int = Field(8, ge=1, description="captures at Triton at once; beyond: 429")
    max_share_per_caller: float = Field(
        0.75,
        gt=0,
        le=1,
        description="the part of the places for captures, batches, films and photos that others do not hold, "
        "which one caller may hold; beyond: 429",
    )
    max_batch_captures: int = Field(1000, ge=1, description="captures of one batch; beyond: 400")
    max_batch_captures_at_once: int = Field(
        2, ge=1, description="captures of batches at Triton at once; they make way for all others"
    )
    max_batches: int = Field(20, ge=1, description="batches that are not done yet; beyond: 429")
    max_batch_bytes: int = Field(64 * 2**20, ge=1, description="bytes of a batch's request; beyond: 413")
    max_worker_queue: int = Field(8, ge=1, description="photos that wait for the worker process; beyond: 429")
    max_worker_memory_bytes: int = Field(
        1536 * 2**20, ge=2**28, description="bytes that one image may take in a worker process; beyond: 413"
    )
    worker_timeout_s: float = Field(
        300.0,
        gt=0,
        description="seconds that a photo, or a few frames of a film, may take there; beyond: 504",
    )
    max_videos: int = Field(2, ge=1, description="films that are made at once; beyond: 429")
    max_video_bytes: int = Field(64 * 2**20, ge=1, description="bytes of a film and its layer together")
    max_video_s: float = Field(60.0, gt=0, description="seconds that a film may last; beyond: 413")
    max_video_pixels: int = Field(2_100_000, ge=256, description="pixels of a film's frame; beyond: 413")
    max_bytes_in_flight: int = Field(
        256 * 2**20, ge=1, description="bytes of requests and messages that are held at once; beyond: 503"
    )
    max_bytes_in_flight_per_address: int = Field(
        96 * 2**20, ge=1, description="of them, bytes of one address; beyond: 429, or 1013 for a socket"
    )
    max_saved_fabrics: int = Field(1000, ge=0, description="fabrics that may be saved; beyond: 507")

    # Storage
    catalog_dir: Path = Field(Path("data/catalog"), description="the folder that keeps saved fabrics")
    catalog_url: Bucket | None = Field(
        None, pattern=r"^(s3|gs|az)://", description="a bucket for them; CATALOG_DIR is then a cache"
    )
    results_dir: Path = Field(Path("data/results"), description="the folder that keeps captures' results")
    results_url: str | None = Field(
        None, pattern=r"^(s3|gs|az|file)://", description="a bucket for their pictures, with REDIS_URL"
    )
    redis_url: RedisURL | None = Field(
        None,
        description="Redis in which several proxies share captures, keys and rate limits, redis://host:6379",
    )
    max_queued_captures: int = Field(
        200, ge=1, description="captures that wait in Redis or are in progress; beyond: 429"
    )
    max_results_bytes: int = Field(
        10 * 2**30, ge=1, description="bytes that RESULTS_DIR may hold; beyond, captures get 507"
    )
    results_lifetime_s: float = Field(3600.0, gt=0, description="seconds that a capture's result is kept")

    batch_lifetime_s: float = Field(
        86400.0, gt=0, description="seconds that a batch may take; its results are kept for longer"
    )

    # Collecting
    collect_dir: Path | None = Field(
        None, description="the folder of rows for fine-tuning; without it nothing is collected"
    )
    max_collected_rows: int = Field(10_000, ge=1, description="rows that COLLECT_DIR may hold; beyond: 507")

    # Webhooks
    webhook_secret: SigningSecret | None = Field(
        None, description="signs webhooks: whsec_ and 24 to 64 bytes in base64; without it none are sent"
    )
    webhook_private_hosts: CommaSeparated = Field(
        [], description="receivers of webhooks that may have private addresses and plain http, by commas"
    )

    picture_private_hosts: CommaSeparated = Field(
        [], description="hosts of picture URLs that may have private addresses and plain http, by commas"
    )

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if self.results_url and not self.redis_url:
            raise ValueError("results_url: set REDIS_URL, too; a bucket is for proxies that share captures")
        return self

    @model_validator(mode="after")
    def _separate_storage(self) -> Self:
        """Results are deleted when they expire; saved fabrics must lie elsewhere."""
        for results in (self.results_url, self.results_dir):
            for catalog in (self.catalog_url, self.catalog_dir):
                if results and catalog and overlap(results, catalog):
                    raise ValueError(
                        f"the results ({results}) and the saved fabrics ({catalog}) overlap: "
                        "set RESULTS_DIR, RESULTS_URL, CATALOG_DIR and CATALOG_URL so that they do not"
                    )
        return self

    @model_validator(mode="after")
    def _collected_for_good(self) -> Self:
        """Rows must not lie where results expire or textures are served."""
        places = (self.results_url, self.results_dir, self.catalog_url, self.catalog_dir)
        for place in places:
            if self.collect_dir and place and overlap(place, self.collect_dir):
                raise ValueError(
                    f"collect_dir: {self.collect_dir} and {place} overlap: choose another folder"
                )
        return self

    @property
    def kept_s(self) -> float:
        """Seconds that a capture is kept from its acceptance on."""
        return self.capture_timeout_s + self.results_lifetime_s

    @property
    def rate_limit_url(self) -> str:
        shared = self.redis_url.get_secret_value() if self.redis_url else "memory://"
        return self.rate_limit_storage or re.sub("^unix:", "redis+unix:", shared)  # as `limits` writes it

    @property
    def max_message_bytes(self) -> int:
        """Bytes of one JSON body or WebSocket message: three images in base64 (4/3), and 1 MiB besides."""
        return 3 * (self.max_image_bytes * 4 // 3) + 2**20

    @property
    def max_scan_bytes(self) -> int:
        """Bytes of the body with a fabric's photo and the one with flash: in base64 (4/3), and 1 MiB."""
        return 2 * (self.max_photo_bytes * 4 // 3) + 2**20

    @property
    def largest_body_bytes(self) -> int:
        """Of any request or message."""
        bodies = self.max_message_bytes, self.max_scan_bytes, self.max_video_body_bytes, self.max_batch_bytes
        return max(bodies)

    @property
    def max_video_body_bytes(self) -> int:
        """Bytes of the body with a film and its layer: in base64 (4/3), and 1 MiB for the poses."""
        return self.max_video_bytes * 4 // 3 + 2**20
