"""All HTTP requests of the models, and their connections. Knows nothing of chat."""

from langchain_segmind._http.attempt import APIRequest
from langchain_segmind._http.client import Sender, aclose, close
from langchain_segmind._http.deadline import get_running_loop
from langchain_segmind._http.group import RequestGroup
from langchain_segmind._http.httpcore_log import mask_httpcore_log
from langchain_segmind._http.polling import JobRequest
from langchain_segmind._http.queue import QueueSender

mask_httpcore_log()

__all__ = [
    "APIRequest",
    "JobRequest",
    "QueueSender",
    "RequestGroup",
    "Sender",
    "aclose",
    "close",
    "get_running_loop",
]
