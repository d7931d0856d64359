"""The code of pages that need other packages runs as shown."""

import mlflow

from langchain_segmind.gateway import Request
from tests.support.pages import run_page


def test_blocks_of_the_page_on_tracing_run(gateway, collector, root, tmp_path, monkeypatch) -> None:
    """A reader gets no error, and the output shown; Langfuse gets a trace with the price."""

    def reply(request: Request) -> object:
        assert request.last_message == "Why is the sky blue? One sentence."
        usage = {"prompt_tokens": 18, "completion_tokens": 9, "total_tokens": 27}
        return {"content": "Air scatters blue light more than red light.", "usage": usage}

    gateway.script(reply)
    for name, value in {
        "SEGMIND_API_BASE": gateway.base_url,
        "SEGMIND_API_KEY": gateway.api_key,
        "LANGFUSE_BASE_URL": collector.url,
        "LANGFUSE_PUBLIC_KEY": "fake-public-key",
        "LANGFUSE_SECRET_KEY": "fake-secret-key",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    run_page(root / "docs" / "observe.md")
    mlflow.langchain.autolog(disable=True)
    assert len(gateway.requests) == 3
    assert any(b"segmind_cost" in body for body in collector.bodies)
