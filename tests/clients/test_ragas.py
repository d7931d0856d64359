"""ragas: metrics that a model judges."""

import asyncio
import json
from typing import Any

import pytest
from ragas import EvaluationDataset, SingleTurnSample, evaluate
from ragas.cost import get_token_usage_for_openai
from ragas.exceptions import LLMDidNotFinishException
from ragas.llms import LangchainLLMWrapper
from ragas.metrics import Faithfulness
from ragas.run_config import RunConfig

SAMPLE = SingleTurnSample(
    user_input="How large is Rome?",
    response="Rome is large. Rome is old.",
    retrieved_contexts=["Rome has 2.8 million people."],
)
STATEMENTS = ["Rome is large.", "Rome is old."]
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def judge(request) -> dict[str, Any]:
    """Break an answer into statements, and find one of them true."""
    if "verdict" in request.last_message:
        verdicts = [
            {"statement": statement, "reason": "So it is.", "verdict": int("large" in statement)}
            for statement in STATEMENTS
        ]
        return {"content": json.dumps({"statements": verdicts}), "usage": USAGE}
    return {"content": json.dumps({"statements": STATEMENTS}), "usage": USAGE}


@pytest.fixture
def judged(model):
    """Return the model as ragas takes it."""
    return LangchainLLMWrapper(model, run_config=RunConfig(max_retries=1))


def test_a_metric_is_computed(judged, gateway) -> None:
    """One of two statements is true."""
    gateway.script(judge)
    score = asyncio.run(Faithfulness(llm=judged).single_turn_ascore(SAMPLE))
    assert score == 0.5
    assert len(gateway.requests) == 2


def test_an_evaluation_adds_up_tokens_and_their_price(judged, gateway) -> None:
    """It reads them, and the model, from the result of each call."""
    gateway.script(judge)
    result = evaluate(
        EvaluationDataset([SAMPLE, SAMPLE]),
        [Faithfulness()],
        llm=judged,
        token_usage_parser=get_token_usage_for_openai,
        show_progress=False,
        raise_exceptions=True,
    )
    assert result["faithfulness"] == [0.5, 0.5]
    tokens = result.total_tokens()
    assert (tokens.input_tokens, tokens.output_tokens) == (40, 20)
    assert tokens.model == "gpt-4-turbo"
    assert result.total_cost(cost_per_input_token=1, cost_per_output_token=2) == 80


def test_a_reply_that_was_cut_off_is_noticed(judged, gateway) -> None:
    """Its finish reason is where ragas looks."""
    gateway.script(lambda request: {**judge(request), "finish_reason": "length"})
    with pytest.raises(LLMDidNotFinishException):
        asyncio.run(Faithfulness(llm=judged).single_turn_ascore(SAMPLE))
