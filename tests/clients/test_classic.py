"""langchain-classic: agents and chains of the time before `create_agent`."""

import pytest
from langchain_classic.agents import (
    AgentExecutor,
    create_openai_functions_agent,
    create_openai_tools_agent,
    create_react_agent,
    create_tool_calling_agent,
)
from langchain_classic.chains import (
    ConversationChain,
    LLMChain,
    RetrievalQA,
    create_extraction_chain,
    create_tagging_chain,
)
from langchain_classic.chains.openai_functions import (
    create_openai_fn_runnable,
    create_structured_output_runnable,
)
from langchain_classic.chains.summarize import load_summarize_chain
from langchain_classic.memory import ConversationBufferMemory
from langchain_classic.output_parsers import OutputFixingParser, PydanticOutputParser
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.retrievers import BaseRetriever
from pydantic import BaseModel

from tests.support.scripts import add, get_last_message, get_offered, get_weather

AGENT_PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Be brief."),
        MessagesPlaceholder("chat_history", optional=True),
        ("human", "{input}"),
        MessagesPlaceholder("agent_scratchpad"),
    ]
)
REACT_PROMPT = PromptTemplate.from_template(
    "Use these tools:\n{tools}\n\nWrite:\nThought: ...\nAction: one of {tool_names}\n"
    "Action Input: its input\nThen wait for the Observation. At last write:\n"
    "Final Answer: the answer\n\nQuestion: {input}\n{agent_scratchpad}"
)


class City(BaseModel):
    """A city and its size."""

    name: str
    people: int


ROME = City(name="Rome", people=2_800_000)
ROME_JSON = '{"name": "Rome", "people": 2800000}'


# --- Agents ---


@pytest.mark.parametrize(
    "create_agent",
    [create_tool_calling_agent, create_openai_tools_agent, create_openai_functions_agent],
    ids=["tool calling", "OpenAI tools", "OpenAI functions"],
)
def test_an_agent_calls_tools_and_answers(caller, model, gateway, create_agent) -> None:
    """Each call is run, and the model sees its result."""
    gateway.script(["[get_weather(city='Rome')]", "[add(a=1, b=2)]", "Sunny, and three."])
    tools = [get_weather, add]
    executor = AgentExecutor(
        agent=create_agent(model, tools, AGENT_PROMPT), tools=tools, return_intermediate_steps=True
    )
    result = caller.invoke(executor, {"input": "How is Rome, and what is 1 + 2?"})
    assert result["output"] == "Sunny, and three."
    assert [(action.tool, seen) for action, seen in result["intermediate_steps"]] == [
        ("get_weather", "Rome is sunny."),
        ("add", 3),
    ]
    requests = gateway.requests
    assert get_offered(requests[0]) == ["get_weather", "add"]
    assert 'name="get_weather"' in get_last_message(requests[1])
    assert "Rome is sunny." in get_last_message(requests[1])
    assert "\n3\n" in get_last_message(requests[2])


@pytest.mark.parametrize("create_agent", [create_tool_calling_agent, create_openai_tools_agent])
def test_parallel_calls_are_all_run(caller, model, gateway, create_agent) -> None:
    """An agent of tools runs each call of a reply."""
    gateway.script(["[get_weather(city='Rome'), add(a=1, b=2)]", "Done."])
    tools = [get_weather, add]
    executor = AgentExecutor(
        agent=create_agent(model, tools, AGENT_PROMPT), tools=tools, return_intermediate_steps=True
    )
    result = caller.invoke(executor, {"input": "Go."})
    assert [seen for _, seen in result["intermediate_steps"]] == ["Rome is sunny.", 3]
    assert len(gateway.requests) == 2


@pytest.mark.parametrize("create_agent", [create_tool_calling_agent, create_openai_functions_agent])
def test_a_stream_of_an_agent_has_its_steps(caller, model, gateway, create_agent) -> None:
    """The call, its result and the answer arrive one after the other."""
    gateway.script(["[add(a=1, b=2)]\nI add.", "Three."])
    executor = AgentExecutor(agent=create_agent(model, [add], AGENT_PROMPT), tools=[add])
    calling, seeing, ending = caller.stream(executor, {"input": "1 + 2?"})
    assert [(action.tool, action.tool_input) for action in calling["actions"]] == [
        ("add", {"a": 1, "b": 2})
    ]
    assert [step.observation for step in seeing["steps"]] == [3]
    assert ending["output"] == "Three."


def test_a_react_agent_stops_before_the_observation(caller, model, gateway) -> None:
    """Its tools are its own text, and what it would invent after the stop word is cut off."""
    gateway.script(
        [
            "Thought: I look.\nAction: get_weather\nAction Input: Rome\nObservation: It rains.",
            "Thought: I know.\nFinal Answer: It is sunny.",
        ]
    )
    executor = AgentExecutor(
        agent=create_react_agent(model, [get_weather], REACT_PROMPT), tools=[get_weather]
    )
    assert caller.invoke(executor, {"input": "How is Rome?"})["output"] == "It is sunny."
    shown = get_last_message(gateway.requests[1])
    assert "Observation: Rome is sunny." in shown
    assert "It rains." not in shown


# --- Chains ---


class FixedRetriever(BaseRetriever):
    """Finds the same document for every question."""

    def _get_relevant_documents(self, query: str, *, run_manager) -> list[Document]:
        return [Document("Rome has 2.8 million people.")]


def test_an_llm_chain_fills_in_its_prompt(caller, model, gateway) -> None:
    """The output is the reply's text."""
    gateway.script(["Meow."])
    chain = LLMChain(llm=model, prompt=PromptTemplate.from_template("What does a {pet} say?"))
    assert caller.invoke(chain, {"pet": "cat"})["text"] == "Meow."
    assert gateway.requests[0].last_message == "What does a cat say?"


def test_a_conversation_chain_remembers(caller, model, gateway) -> None:
    """The second prompt has the first question and its answer."""
    gateway.script(["Hello, Ann!", "Ann."])
    chain = ConversationChain(llm=model, memory=ConversationBufferMemory())
    caller.invoke(chain, {"input": "I am Ann."})
    assert caller.invoke(chain, {"input": "Who am I?"})["response"] == "Ann."
    prompt = gateway.requests[1].last_message
    assert "I am Ann." in prompt
    assert "Hello, Ann!" in prompt


def test_a_retrieval_chain_answers_from_documents(caller, model, gateway) -> None:
    """What was found is in the prompt."""
    gateway.script(["2.8 million."])
    chain = RetrievalQA.from_chain_type(model, retriever=FixedRetriever())
    assert caller.invoke(chain, {"query": "How large is Rome?"})["result"] == "2.8 million."
    assert "Rome has 2.8 million people." in gateway.requests[0].messages[0]["content"]


def test_documents_are_summarized_in_parts(caller, model, gateway) -> None:
    """Token counts decide how the summaries are put together."""
    gateway.script(lambda request: f"Short: {len(request.last_message)}")
    chain = load_summarize_chain(model, chain_type="map_reduce")
    documents = [Document("Cats purr."), Document("Dogs bark.")]
    result = caller.invoke(chain, {"input_documents": documents})
    assert result["output_text"].startswith("Short: ")
    assert len(gateway.requests) == 3


def test_an_extraction_chain_returns_all_objects(caller, model, gateway) -> None:
    """It passes `functions` and reads `function_call`."""
    rome = "{'name': 'Rome', 'people': 2800000}"
    gateway.script([f"[information_extraction(info=[{rome}])]"])
    schema = {
        "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
        "required": ["name"],
    }
    chain = create_extraction_chain(schema, model)
    result = caller.invoke(chain, {"input": "Rome has 2.8 million people."})
    assert result["text"] == [{"name": "Rome", "people": 2_800_000}]
    assert get_offered(gateway.requests[0]) == ["information_extraction"]


def test_a_tagging_chain_returns_tags(caller, model, gateway) -> None:
    """Likewise."""
    gateway.script(["[information_extraction(mood='glad')]"])
    schema = {"properties": {"mood": {"type": "string"}}, "required": ["mood"]}
    result = caller.invoke(create_tagging_chain(schema, model), {"input": "Hurray!"})
    assert result["text"] == {"mood": "glad"}


def test_the_model_chooses_among_functions(caller, model, gateway) -> None:
    """Arguments come as JSON, as OpenAI's `function_call` has them."""
    gateway.script(["[City(name='Rome', people=2800000)]"])
    prompt = ChatPromptTemplate.from_messages([("human", "{input}")])
    chain = create_openai_fn_runnable([add.func, City], model, prompt)
    result = caller.invoke(chain, {"input": "Rome has 2.8 million people."})
    assert result == {"name": "City", "arguments": {"name": "Rome", "people": 2_800_000}}
    assert get_offered(gateway.requests[0]) == ["add", "City"]


@pytest.mark.parametrize(
    ("mode", "reply"),
    [
        ("openai-tools", "[City(name='Rome', people=2800000)]"),
        ("openai-functions", "[_OutputFormatter(output={'name': 'Rome', 'people': 2800000})]"),
        ("openai-json", ROME_JSON),
    ],
)
def test_a_structured_output_runnable_returns_objects(caller, model, gateway, mode, reply) -> None:
    """In each of its ways."""
    gateway.script([reply])
    is_json = mode == "openai-json"
    text = "{input} {output_schema}" if is_json else "{input}"
    prompt = ChatPromptTemplate.from_messages([("human", text)])
    chain = create_structured_output_runnable(
        City, model, prompt=prompt, mode=mode, enforce_function_usage=not is_json
    )
    assert caller.invoke(chain, {"input": "Rome has 2.8 million people."}) == ROME


def test_a_fixing_parser_asks_again(caller, model, gateway) -> None:
    """It shows the model what it wrote, and the error."""
    gateway.script([ROME_JSON])
    parser = OutputFixingParser.from_llm(model, PydanticOutputParser(pydantic_object=City))
    assert caller.parse(parser, '{"name": "Rome"}') == ROME
    assert '{"name": "Rome"}' in gateway.requests[0].last_message
