"""Deep agents: plans, files, and agents that agents call."""

from deepagents import create_deep_agent
from langchain.agents.middleware import TodoListMiddleware

from tests.support.scripts import ask, get_last_message, get_offered, get_weather


def test_an_agent_plans_writes_files_and_delegates(caller, model, gateway) -> None:
    """Its own tools run, and so does a subagent with a tool of the user's."""
    todo = "[{'content': 'Ask about Rome', 'status': 'in_progress'}]"
    gateway.script(
        [
            f"[write_todos(todos={todo})]",
            "[task(description='How is Rome?', subagent_type='forecaster')]",
            "[get_weather(city='Rome')]",  # the subagent
            "It is sunny in Rome.",
            "[write_file(file_path='/rome.md', content='It is sunny.\\nTake a hat.')]",
            "[read_file(file_path='/rome.md')]",
            "The forecast is in /rome.md.",
        ]
    )
    forecaster = {
        "name": "forecaster",
        "description": "Knows the weather.",
        "system_prompt": "You forecast the weather.",
        "tools": [get_weather],
    }
    agent = create_deep_agent(
        model,
        subagents=[forecaster],
        system_prompt="Be brief.",
        middleware=[TodoListMiddleware()],
    )
    state = caller.invoke(agent, ask("Write down how Rome is."))
    assert state["messages"][-1].text == "The forecast is in /rome.md."
    assert state["todos"] == [{"content": "Ask about Rome", "status": "in_progress"}]
    assert "Take a hat." in str(state["files"]["/rome.md"]["content"])
    results = [message.text for message in state["messages"] if message.type == "tool"]
    assert len(results) == 4
    assert results[1] == "It is sunny in Rome."
    assert "Take a hat." in results[3]
    assert len(gateway.requests) == 7
    assert "get_weather" in get_offered(gateway.requests[2])
    assert "get_weather" not in get_offered(gateway.requests[0])
    assert "Rome is sunny." in get_last_message(gateway.requests[3])
    assert "Take a hat." in get_last_message(gateway.requests[6])


def test_an_agent_edits_a_file_that_the_user_passes(caller, model, gateway) -> None:
    """Quotes and line feeds of its arguments reach the file as written."""
    gateway.script(
        [
            "[read_file(file_path='/a.py')]",
            "[edit_file(file_path='/a.py', old_string='x = \"1\"\\n', new_string='x = 1\\n')]",
            "Done.",
        ]
    )
    file = {"content": 'x = "1"\n', "encoding": "utf-8"}
    state = caller.invoke(create_deep_agent(model), {**ask("Fix it."), "files": {"/a.py": file}})
    assert state["files"]["/a.py"]["content"] == "x = 1\n"
