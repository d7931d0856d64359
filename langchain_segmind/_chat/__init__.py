"""LangChain messages to a request, and a reply to a LangChain result. No I/O."""
