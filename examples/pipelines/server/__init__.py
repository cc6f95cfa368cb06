"""A small server for pipelines that speaks the chat API of OpenAI."""
