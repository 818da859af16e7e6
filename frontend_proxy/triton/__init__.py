"""Triton as the proxy sees it: jobs in, pictures out."""
