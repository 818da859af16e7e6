"""The studio, the pages that show the API, and its OpenAPI and AsyncAPI descriptions."""
