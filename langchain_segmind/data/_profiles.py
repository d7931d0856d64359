"""LangChain's model profiles, by slug.

Segmind's endpoint accepts and returns text only, whatever the model behind it can do; tool calls
are text too. Sizes of gpt-4-turbo: https://platform.openai.com/docs/models/gpt-4-turbo.
"""

from collections.abc import Mapping

from langchain_core.language_models import ModelProfile

TEXT_ONLY = ModelProfile(
    text_inputs=True,
    image_inputs=False,
    image_url_inputs=False,
    pdf_inputs=False,
    audio_inputs=False,
    video_inputs=False,
    image_tool_message=False,
    pdf_tool_message=False,
    text_outputs=True,
    image_outputs=False,
    audio_outputs=False,
    video_outputs=False,
    reasoning_output=False,
    tool_calling=True,
    tool_choice=True,
    tool_call_streaming=False,
    structured_output=False,
)

PROFILES: Mapping[str, ModelProfile] = {
    "gpt-4-turbo": {
        **TEXT_ONLY,
        "max_input_tokens": 128_000,
        "max_output_tokens": 4_096,
    },
}
