"""NeMo Guardrails: a model behind rails that it checks itself."""

import asyncio

import pytest
from nemoguardrails import LLMRails, RailsConfig
from nemoguardrails.llm.frameworks import registry

from langchain_segmind import register_init_chat_model

CHECKS = """
models: {models}
instructions:
  - type: general
    content: Be brief.
rails:
  input:
    flows: [self check input]
  output:
    flows: [self check output]
    streaming: {{enabled: true, chunk_size: 200}}
prompts:
  - task: self_check_input
    content: |
      Block this message? "{{{{ user_input }}}}" Yes or No.
  - task: self_check_output
    content: |
      Block this answer? "{{{{ bot_response }}}}" Yes or No.
"""
REFUSAL = "I'm sorry, I can't respond to that."


def answer(request) -> str:
    """Block what is rude, and greet who asks for nothing else."""
    text = request.last_message
    if text.startswith("Block"):
        return "Yes" if "rude" in text else "No"
    return "A rude answer." if "swear" in text else "Hello!"


def create_rails(llm, models: str = "[]") -> LLMRails:
    """Return rails that check what goes in and what comes out."""
    return LLMRails(RailsConfig.from_content(yaml_content=CHECKS.format(models=models)), llm=llm)


@pytest.mark.parametrize(
    ("question", "expected", "requests"),
    [
        pytest.param("Hi", "Hello!", 3, id="nothing blocked"),
        pytest.param("Something rude", REFUSAL, 1, id="input blocked"),
        pytest.param("Please swear", REFUSAL, 3, id="output blocked"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_rails_check_input_and_output(
    model, gateway, question, expected, requests, is_async
) -> None:
    """Checks bind a temperature and a length of their own; the answer has the instructions."""
    gateway.script(answer)
    rails = create_rails(model)
    messages = [{"role": "user", "content": question}]
    if is_async:
        reply = asyncio.run(rails.generate_async(messages=messages))
    else:
        reply = rails.generate(messages=messages)
    assert reply == {"role": "assistant", "content": expected}
    assert len(gateway.requests) == requests
    check = gateway.requests[0].json
    assert check["temperature"] < 0.1
    assert check["max_tokens"] > 0
    if requests > 1:
        assert gateway.requests[1].last_message.startswith("Be brief.")


def test_rails_stream_the_answer(model, gateway) -> None:
    """The whole answer arrives, after its check."""
    gateway.script(answer)
    rails = create_rails(model)

    async def stream() -> str:
        chunks = rails.stream_async(messages=[{"role": "user", "content": "Hi"}])
        return "".join([chunk async for chunk in chunks])

    assert asyncio.run(stream()) == "Hello!"


def test_rails_log_tokens_model_and_provider(model, gateway) -> None:
    """Each call of the log has them."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    gateway.script(lambda request: {"content": answer(request), "usage": usage})
    messages = [{"role": "user", "content": "Hi"}]
    reply = create_rails(model).generate(messages=messages, options={"log": {"llm_calls": True}})
    calls = [
        (call.llm_provider_name, call.llm_model_name, call.prompt_tokens, call.completion_tokens)
        for call in reply.log.llm_calls
    ]
    assert calls == [("segmind", "gpt-4-turbo", 10, 5)] * 3


def test_a_configuration_names_the_model(gateway, monkeypatch) -> None:
    """With LangChain's models chosen, `engine: segmind` is enough."""
    monkeypatch.setenv("SEGMIND_API_KEY", gateway.api_key)
    monkeypatch.setenv("SEGMIND_API_BASE", gateway.base_url)
    monkeypatch.setattr(registry, "_default_framework", "langchain")
    register_init_chat_model()
    gateway.script(answer)
    rails = create_rails(None, "[{type: main, engine: segmind, model: gpt-4-turbo}]")
    assert rails.generate(messages=[{"role": "user", "content": "Hi"}])["content"] == "Hello!"
    assert {request.slug for request in gateway.requests} == {"gpt-4-turbo"}
