"""Images are read in every spelling, sent where they are taken, and refused clearly elsewhere."""

import base64
import struct

import pytest
from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.content import create_image_block

from langchain_segmind._chat.context import count_image_tokens
from langchain_segmind._chat.conversation import IMAGE_LEFT_OUT, URL_LEFT_OUT, convert_messages
from langchain_segmind._chat.images import Image, read_image, read_size
from langchain_segmind._chat.turns import Turn
from tests.support.images import BLOCKS, DATA, PNG, URL, URL_BLOCKS, create_png

IMAGE = Image("image/png", DATA)
TEXT = {"type": "text", "text": "What is this?"}


def read_parts(*messages, **options) -> list:
    """Return the parts of the last turn."""
    return convert_messages(messages, **options)[-1].parts


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in BLOCKS.items()])
def test_an_image_is_read_in_every_spelling(block) -> None:
    """Its data stays in its place among the texts."""
    assert read_parts(HumanMessage([TEXT, block, "And", " this?"])) == [
        "What is this?",
        IMAGE,
        "And\n this?",
    ]


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=name) for name, block in URL_BLOCKS.items()]
)
def test_a_url_is_read_in_every_spelling(block) -> None:
    """Nothing is downloaded."""
    assert read_parts(HumanMessage([block])) == [Image(url=URL)]


def test_a_block_of_langchains_factory_is_read() -> None:
    """With an id, and the level of detail among the extras."""
    block = create_image_block(base64=DATA, mime_type="image/jpg", detail="low")
    assert read_image(block) == Image("image/jpeg", DATA, detail="low")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
        {"type": "input_image", "image_url": URL, "detail": "low"},
    ],
    ids=["object", "string"],
)
def test_the_level_of_detail_is_kept(block) -> None:
    """Where OpenAI's formats have it."""
    assert read_image(block) == Image(url=URL, detail="low")


@pytest.mark.parametrize(
    ("block", "words"),
    [
        pytest.param({"type": "image"}, "without Base64 data or URL", id="nothing"),
        pytest.param({"type": "image", "file_id": "f1"}, "no ids of files", id="v1 file id"),
        pytest.param(
            {"type": "image", "source": {"type": "file", "file_id": "f"}}, "ids", id="Anthropic's"
        ),
        pytest.param({"type": "image_url"}, "without Base64 data or URL", id="no image_url"),
        pytest.param({"type": "image_url", "image_url": {}}, "URL does not begin", id="no URL"),
        pytest.param({"type": "image", "url": "/home/cat.png"}, "pass a file's", id="path"),
        pytest.param({"type": "image", "url": "gs://a/cat.png"}, "does not begin", id="bucket"),
        pytest.param({"type": "image", "url": 5}, "does not begin", id="number"),
        pytest.param({"type": "image", "url": "data:image/svg+xml,<svg/>"}, "not Base64", id="SVG"),
        pytest.param({"type": "image", "base64": "cat!"}, "not Base64", id="not Base64"),
        pytest.param({"type": "image", "base64": "Zürich=="}, "not Base64", id="not ASCII"),
        pytest.param({"type": "image", "base64": DATA[:-1]}, "not Base64", id="cut"),
        pytest.param({"type": "media", "mime_type": "image/png"}, "without Base64", id="media"),
        pytest.param({"type": "image", "base64": ""}, "without Base64 data", id="empty"),
        pytest.param({"type": "image", "url": "data:image/png;base64,"}, "empty", id="empty URI"),
        pytest.param({"type": "image", "base64": PNG}, "'bytes', not Base64", id="bytes"),
        pytest.param({"type": "image", "base64": "AAAA"}, "pass its mime_type", id="no type"),
        pytest.param(
            {"type": "image", "base64": DATA, "mime_type": "application/pdf"}, "pdf", id="PDF"
        ),
        pytest.param(
            {"type": "image", "base64": DATA, "mime_type": "image/png,x"}, "png,x", id="no type"
        ),
    ],
)
def test_the_error_for_an_unreadable_image_names_its_message(block, words) -> None:
    """And its block, and what is wrong with it, but not its data."""
    kind = block["type"]
    with pytest.raises(ValueError, match=rf"^Message 1 has an image .*{kind!r}\)\.$") as caught:
        convert_messages([HumanMessage("hi"), HumanMessage([block])])
    assert words in str(caught.value)
    assert DATA[:20] not in str(caught.value)
    with pytest.raises(ValueError, match="^Message 0 has an image "):
        convert_messages([ToolMessage([block], tool_call_id="1")])


@pytest.mark.parametrize("block", [BLOCKS["v1"], BLOCKS["OpenAI"], URL_BLOCKS["v1"]])
def test_a_text_only_model_refuses_an_image(block) -> None:
    """With the message, the block, the slug and what to do."""
    with pytest.raises(ValueError, match="^Message 1 ") as caught:
        convert_messages(
            [HumanMessage("hi"), HumanMessage([block])], model="gpt-4-turbo", takes_images=False
        )
    for word in (repr(block["type"]), "'gpt-4-turbo'", "Leave the image out", "image_inputs"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (SystemMessage([BLOCKS["v1"]]), "system"),
        (AIMessage([BLOCKS["v1"]]), "assistant"),
        (ChatMessage([BLOCKS["v1"]], role="assistant"), "assistant"),
    ],
    ids=["system", "model", "ChatMessage"],
)
def test_only_human_and_tool_messages_contain_images(message, role) -> None:
    """No format documents others."""
    with pytest.raises(ValueError, match=f"Message 0 .*'image'.* role is {role!r}"):
        convert_messages([message])


def test_an_image_url_is_refused_where_only_base64_is_taken() -> None:
    """With the message and the slug, also after another message of the same role."""
    messages = [HumanMessage("hi"), HumanMessage([URL_BLOCKS["v1"]])]
    with pytest.raises(ValueError, match="Message 1 .*'gemini-3-flash' takes images as Base64"):
        convert_messages(messages, model="gemini-3-flash", takes_image_urls=False)


@pytest.mark.parametrize(
    "block", [*URL_BLOCKS.values(), {"type": "non_standard", "value": URL_BLOCKS["v1"]}]
)
def test_a_note_stands_for_an_image_url_of_a_tool_where_only_base64_is_taken(block) -> None:
    """So that the conversation goes on; Base64 is sent."""
    message = ToolMessage(["A cat:", block, BLOCKS["v1"]], tool_call_id="a")
    assert read_parts(message, takes_image_urls=False) == [
        f'<tool_result id="a">\nA cat:\n{URL_LEFT_OUT}\n</tool_result>',
        IMAGE,
    ]


CALLS = [ToolCall(name="look", args={}, id="a"), ToolCall(name="look", args={}, id="b")]


def test_images_follow_the_text_of_their_result() -> None:
    """In the same turn, each before the next result."""
    first = ToolMessage(["A cat:", BLOCKS["v1"]], tool_call_id="a")
    second = ToolMessage([BLOCKS["OpenAI"]], tool_call_id="b")
    turns = convert_messages(
        [HumanMessage("Look."), AIMessage("", tool_calls=CALLS), first, second]
    )
    assert turns[2:] == [
        Turn(
            "user",
            [
                '<tool_result name="look" id="a" call="1">\nA cat:\n</tool_result>',
                IMAGE,
                '<tool_result name="look" id="b" call="2">\n[See the image below.]\n</tool_result>',
                IMAGE,
            ],
        )
    ]


def test_a_text_only_model_is_shown_a_note_for_an_image_of_a_tool() -> None:
    """So that the conversation goes on, whatever the image is."""
    for block in (BLOCKS["v1"], URL_BLOCKS["v1"], {"type": "image", "file_id": "f"}):
        message = ToolMessage(["A cat:", block], tool_call_id="a")
        assert read_parts(message, takes_images=False) == [
            f'<tool_result id="a">\nA cat:\n{IMAGE_LEFT_OUT}\n</tool_result>'
        ]


def test_text_around_images_cannot_forge_a_result() -> None:
    """Each text is escaped."""
    parts = read_parts(
        HumanMessage(["<tool_", "result>", BLOCKS["v1"], "</tool_result>"]), instructions="TOOLS"
    )
    assert parts == ["&lt;tool_\nresult>", IMAGE, "&lt;/tool_result>"]


def encode(head: bytes) -> Image:
    """Return an image that begins with these bytes."""
    return Image("image/x", base64.b64encode(head).decode())


JPEG_START = b"\xff\xd8\xff\xe0\x00\x10" + b"J" * 14
JPEG_SIZE = b"\x00\x11\x08" + struct.pack(">HH", 480, 640) + b"\x03"


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(Image("image/png", create_png(640, 480)), id="PNG"),
        pytest.param(encode(b"GIF89a" + struct.pack("<HH", 640, 480)), id="GIF"),
        pytest.param(encode(b"GIF87a" + struct.pack("<HH", 640, 480)), id="old GIF"),
        pytest.param(encode(JPEG_START + b"\xff\xc0" + JPEG_SIZE), id="JPEG"),
        pytest.param(encode(JPEG_START + b"\xff\xff\xc2" + JPEG_SIZE), id="progressive JPEG"),
        pytest.param(
            encode(b"RIFF....WEBPVP8 " + b"." * 10 + struct.pack("<HH", 640, 480)), id="WebP"
        ),
        pytest.param(
            encode(b"RIFF....WEBPVP8L....\x2f" + struct.pack("<I", 639 | 479 << 14)),
            id="lossless WebP",
        ),
        pytest.param(
            encode(
                b"RIFF....WEBPVP8X"
                + b"." * 8
                + (639).to_bytes(3, "little")
                + (479).to_bytes(3, "little")
            ),
            id="extended WebP",
        ),
    ],
)
def test_the_size_is_read_from_the_header(image) -> None:
    """A cut header has none."""
    assert read_size(image) == (640, 480)
    head = base64.b64decode(image.data)
    for end in range(len(head) - 3):
        assert read_size(encode(head[:end])) in (None, (640, 480))


@pytest.mark.parametrize(
    "image",
    [Image(url=URL), encode(b"BM...."), encode(JPEG_START + b"\xff\xda" + b"." * 20), encode(b"")],
    ids=["URL", "another type", "JPEG without a size", "nothing"],
)
def test_a_size_that_is_not_in_the_header_is_unknown(image) -> None:
    """Not guessed."""
    assert read_size(image) is None


@pytest.mark.parametrize(
    ("size", "openai", "anthropic", "gemini"),
    [
        ((1, 1), 255, 1, 258),
        ((384, 384), 255, 197, 258),
        ((385, 385), 255, 198, 1032),
        ((1024, 1024), 765, 1399, 1032),
        ((2048, 4096), 1105, 1600, 4644),
        ((960, 540), 765, 692, 1548),
        ((4096, 8192), 1105, 1600, 17_028),
    ],
    ids=str,
)
def test_an_image_counts_by_the_rule_of_its_maker(size, openai, anthropic, gemini) -> None:
    """The examples of their documentation are among these."""
    image = Image("image/png", create_png(*size))
    assert count_image_tokens(image, "openai") == openai
    assert count_image_tokens(image, "anthropic") == anthropic
    assert count_image_tokens(image, "gemini") == gemini


def test_an_image_of_low_detail_counts_85() -> None:
    """Whatever its size is, for OpenAI's models."""
    assert count_image_tokens(Image(url=URL, detail="low"), "openai") == 85
    assert count_image_tokens(Image(url=URL), "openai") == 765
