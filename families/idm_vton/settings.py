"""What the export tells this family's conditioner: the `settings` of the exported `pipeline.json`."""

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    garment_prompt: str = Field("a photo of {garment}", description="what GarmentNet reads of the garment")
    values_per_latent: int = Field(gt=0, description="values of GarmentNet's features for each latent pixel")
    densepose: str | None = Field(
        None, description="file beside pipeline.json with a DensePose network; none: body parts are drawn"
    )
    feature_cache_mb: int = Field(2048, ge=0, description="memory for the features of garments")
