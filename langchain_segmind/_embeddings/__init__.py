"""Requests and replies of embedding models, and the vectors of a call as they arrive."""
