"""trustcall: extraction with repairs and updates as JSON patches."""

import re

import pytest
from pydantic import BaseModel, Field
from trustcall import create_extractor

from tests.support.scripts import get_offered


class City(BaseModel):
    """A city and its size."""

    name: str
    people: int = Field(ge=0)
    districts: list[str] = []


ROME = City(name="Rome", people=2_800_000)
ROME_CALL = "[City(name='Rome', people=2800000)]"


@pytest.mark.parametrize("choice", ["City", "any", None])
def test_a_schema_is_extracted(caller, model, gateway, choice) -> None:
    """The call becomes an instance of the class."""
    gateway.script([ROME_CALL])
    extractor = create_extractor(model, tools=[City], tool_choice=choice)
    result = caller.invoke(extractor, "Rome has 2.8 million people.")
    assert result["responses"] == [ROME]
    (request,) = gateway.requests
    assert get_offered(request) == ["City"]


def test_an_invalid_call_is_repaired_by_a_patch(caller, model, gateway) -> None:
    """The validation error is shown with the call's id, and only the wrong value is sent again."""

    def answer(request):
        shown = request.last_message
        if "greater than or equal to 0" not in shown:
            return "[City(name='Rome', people=-1)]"
        (call_id,) = re.findall(r"call_\w+", shown)[:1]
        patch = "{'op': 'replace', 'path': '/people', 'value': 2800000}"
        return (
            f"[PatchFunctionErrors(json_doc_id='{call_id}', planned_edits='Correct people.', "
            f"patches=[{patch}])]"
        )

    gateway.script(answer)
    extractor = create_extractor(model, tools=[City], tool_choice="City")
    result = caller.invoke(extractor, "Rome has 2.8 million people.")
    assert result["responses"] == [ROME]
    assert result["attempts"] == 2
    assert len(gateway.requests) == 2
    assert "PatchFunctionErrors" in get_offered(gateway.requests[1])


def test_an_existing_object_is_patched(caller, model, gateway) -> None:
    """What the model does not name stays."""
    patches = (
        "[{'op': 'replace', 'path': '/people', 'value': 2800000}, "
        "{'op': 'add', 'path': '/districts/-', 'value': 'Trastevere'}]"
    )
    gateway.script(
        [f"[PatchDoc(json_doc_id='City', planned_edits='Add what is new.', patches={patches})]"]
    )
    extractor = create_extractor(model, tools=[City], tool_choice="City")
    existing = {"City": {"name": "Rome", "people": 1, "districts": ["Monti"]}}
    result = caller.invoke(
        extractor,
        {"messages": [("user", "Rome has grown, and has Trastevere.")], "existing": existing},
    )
    (city,) = result["responses"]
    assert city == City(name="Rome", people=2_800_000, districts=["Monti", "Trastevere"])
    assert len(gateway.requests) == 1


def test_objects_are_added_and_removed(caller, model, gateway) -> None:
    """Calls of several kinds in one reply are all carried out."""
    gateway.script(["[RemoveDoc(json_doc_id='1'), City(name='Rome', people=2800000)]"])
    extractor = create_extractor(
        model, tools=[City], tool_choice="any", enable_inserts=True, enable_deletes=True
    )
    existing = [("1", "City", {"name": "Troy", "people": 0})]
    result = caller.invoke(
        extractor, {"messages": [("user", "Troy is gone; Rome is new.")], "existing": existing}
    )
    kinds = {type(response).__name__ for response in result["responses"]}
    assert kinds == {"RemoveDoc", "City"}
    assert ROME in result["responses"]
