"""Segmind language models for LangChain."""
