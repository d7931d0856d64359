"""LangSmith, OpenTelemetry, Langfuse and MLflow see model, provider, tokens, calls and errors."""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import mlflow
import pytest
from langchain.agents import create_agent
from langchain_core.tracers import LangChainTracer
from langfuse import Langfuse
from langfuse.langchain import CallbackHandler
from langsmith import Client
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_segmind import SegmindInvalidRequestError
from tests.conftest import SECRET
from tests.support.scripts import add, ask, refuse

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
COST = 0.00025
"""The gateway's price of such a reply."""
CALL = {"name": "add", "args": {"a": 1, "b": 2}}
MODEL_RUN = "ChatSegmindGPT4Turbo"


@pytest.fixture
def run(caller, model, gateway) -> Callable[..., None]:
    """Return a function that runs an agent with one call, a stream, and a call that fails."""

    def run_all(**config: Any) -> None:
        gateway.script(
            [
                {"content": "[add(a=1, b=2)]", "usage": USAGE},
                {"content": "Three.", "usage": USAGE},
                {"content": "Streamed.", "usage": USAGE},
                refuse("too rude"),
            ]
        )
        agent = create_agent(model, [add])
        assert caller.invoke(agent, ask("1 + 2?"), config)["messages"][-1].text == "Three."
        chunks = caller.stream(model, "Stream.", config)
        assert "".join(chunk.text for chunk in chunks) == "Streamed."
        with pytest.raises(SegmindInvalidRequestError):
            caller.invoke(model, "Boo", config)

    return run_all


# --- LangSmith ---


def test_langsmith_gets_model_tokens_price_calls_and_errors(run, collector) -> None:
    """The runs that its client posts have them where LangSmith reads them."""
    client = Client(api_url=collector.url, api_key="fake-key-of-langsmith")
    run(callbacks=[LangChainTracer(client=client)])
    client.flush()
    runs: dict[str, dict[str, Any]] = {}
    for body in collector.bodies:
        for posted in chain.from_iterable(json.loads(body).values()):
            runs.setdefault(posted["id"], {}).update(posted)
    calling, answering, streaming, failing = [r for r in runs.values() if r["run_type"] == "llm"]
    for posted in (calling, answering, streaming):
        metadata = posted["extra"]["metadata"]
        assert metadata["ls_provider"] == "segmind"
        assert metadata["ls_model_name"] == "gpt-4-turbo"
        usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        assert metadata["usage_metadata"] == usage
        message = posted["outputs"]["generations"][0][0]["message"]["kwargs"]
        assert message["usage_metadata"] == usage
        assert message["response_metadata"]["cost"] == COST
        assert posted.get("error") is None
    (call,) = calling["outputs"]["generations"][0][0]["message"]["kwargs"]["tool_calls"]
    assert {key: call[key] for key in CALL} == CALL
    assert calling["extra"]["invocation_params"]["tools"][0]["function"]["name"] == "add"
    assert answering["outputs"]["generations"][0][0]["text"] == "Three."
    assert answering["outputs"]["llm_output"]["token_usage"] == USAGE
    assert streaming["outputs"]["generations"][0][0]["text"] == "Streamed."
    assert "too rude" in failing["error"]
    (tool,) = [r for r in runs.values() if r["run_type"] == "tool"]
    assert tool["outputs"]["output"]["content"] == "3"
    assert SECRET.encode() not in b"".join(collector.bodies)


# --- OpenTelemetry ---


def get_model_spans(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    """Return the spans of the model's calls: one that calls a tool, an answer, an error."""
    spans = exporter.get_finished_spans()
    assert SECRET not in "".join(span.to_json() for span in spans)
    return [span for span in spans if span.name == MODEL_RUN]


@pytest.fixture
def openinference() -> Iterator[InMemorySpanExporter]:
    """Instrument LangChain, and return what exports the spans."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = LangChainInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()


def test_openinference_gets_model_tokens_price_calls_and_errors(run, openinference) -> None:
    """Spans have the attributes of its semantic conventions."""
    run()
    calling, answering, streaming, failing = get_model_spans(openinference)
    for span in (calling, answering, streaming):
        assert span.attributes["llm.provider"] == "segmind"
        assert span.attributes["llm.model_name"] == "gpt-4-turbo"
        assert span.attributes["llm.token_count.prompt"] == 10
        assert span.attributes["llm.token_count.completion"] == 5
        assert span.attributes["llm.token_count.total"] == 15
        output = json.loads(span.attributes["output.value"])
        (generation,) = output["generations"][0]
        assert generation["message"]["kwargs"]["response_metadata"]["cost"] == COST
        assert span.status.is_ok
    called = "llm.output_messages.0.message.tool_calls.0.tool_call.function"
    assert calling.attributes[f"{called}.name"] == "add"
    assert json.loads(calling.attributes[f"{called}.arguments"]) == CALL["args"]
    assert calling.attributes["llm.finish_reason"] == "tool_calls"
    assert answering.attributes["llm.output_messages.0.message.content"] == "Three."
    assert answering.attributes["llm.finish_reason"] == "stop"
    assert streaming.attributes["llm.output_messages.0.message.content"] == "Streamed."
    assert streaming.attributes["llm.finish_reason"] == "stop"
    assert not failing.status.is_ok
    assert "too rude" in failing.status.description
    assert failing.attributes["llm.model_name"] == "gpt-4-turbo"


# --- Langfuse ---


@pytest.fixture
def langfuse(request: pytest.FixtureRequest) -> Iterator[tuple[Langfuse, InMemorySpanExporter]]:
    """Return a client of Langfuse and what exports its spans."""
    exporter = InMemorySpanExporter()
    client = Langfuse(
        public_key=request.node.name,  # it keeps a client for each key
        secret_key="fake-secret-key",
        base_url="http://127.0.0.1:9",
        span_exporter=exporter,
        tracer_provider=TracerProvider(),
    )
    yield client, exporter
    client.shutdown()


def test_langfuse_gets_model_tokens_calls_and_errors(run, langfuse, request) -> None:
    """Its observations have them; it has no place for a message's price."""
    client, exporter = langfuse
    run(callbacks=[CallbackHandler(public_key=request.node.name)])
    client.flush()
    calling, answering, streaming, failing = get_model_spans(exporter)
    for span in (calling, answering, streaming):
        assert span.attributes["langfuse.observation.type"] == "generation"
        assert span.attributes["langfuse.observation.model.name"] == "gpt-4-turbo"
        assert span.attributes["langfuse.observation.metadata.ls_provider"] == '"segmind"'
        usage = json.loads(span.attributes["langfuse.observation.usage_details"])
        assert usage == {"input": 10, "output": 5, "total": 15}
    output = json.loads(calling.attributes["langfuse.observation.output"])
    (call,) = output["tool_calls"]
    assert {key: call[key] for key in CALL} == CALL
    assert json.loads(answering.attributes["langfuse.observation.output"])["content"] == "Three."
    assert json.loads(streaming.attributes["langfuse.observation.output"])["content"] == "Streamed."
    assert failing.attributes["langfuse.observation.level"] == "ERROR"
    assert "too rude" in failing.attributes["langfuse.observation.status_message"]


# --- MLflow ---


@pytest.fixture(scope="module")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trace into a local database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}")
        mlflow.langchain.autolog()
        yield
        mlflow.langchain.autolog(disable=True)


def test_mlflow_gets_model_tokens_calls_and_errors(run, mlflow_store) -> None:
    """Traces in a local store have them, and the tokens of a run are added up."""
    run()
    failed, streamed, answered = mlflow.search_traces(return_type="list", max_results=3)
    assert answered.info.token_usage == {
        "input_tokens": 20,
        "output_tokens": 10,
        "total_tokens": 30,
    }
    spans = [
        span
        for trace in (answered, streamed)
        for span in trace.data.spans
        if span.span_type == "CHAT_MODEL"
    ]
    calling, answering, streaming = spans
    for span in spans:
        assert span.attributes["mlflow.llm.model"] == "gpt-4-turbo"
        assert span.attributes["mlflow.llm.provider"] == "segmind"
        assert span.attributes["mlflow.chat.tokenUsage"]["total_tokens"] == 15
    (call,) = calling.outputs["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "add"
    assert json.loads(call["function"]["arguments"]) == CALL["args"]
    assert answering.outputs["choices"][0]["message"]["content"] == "Three."
    assert streaming.outputs["choices"][0]["message"]["content"] == "Streamed."
    (failing,) = failed.data.spans
    assert failed.info.state == "ERROR"
    assert "too rude" in failing.status.description
    assert SECRET not in answered.to_json() + failed.to_json()
