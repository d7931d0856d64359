"""The modules whose names are public."""

import langchain_segmind
import langchain_segmind.gateway
import langchain_segmind.middleware
import langchain_segmind.rate_limiters
import langchain_segmind.testing

PUBLIC_MODULES = (
    langchain_segmind,
    langchain_segmind.gateway,
    langchain_segmind.middleware,
    langchain_segmind.rate_limiters,
    langchain_segmind.testing,
)
