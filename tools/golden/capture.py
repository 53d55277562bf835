"""Llama 3.2 Vision's other rule for the states of intermediate layers."""

from contextlib import contextmanager
from unittest.mock import patch

from transformers.modeling_outputs import BaseModelOutput
from transformers.models.mllama.modeling_mllama import MllamaVisionEncoder


@contextmanager
def capture_before():
    """Inside, state `i` is what layer `i` takes in, as in Meta's code and transformers 4.45, which the published
    checkpoints were trained and tested with. transformers 5.18 takes what layer `i` gives out."""

    def forward(self, hidden_states, attention_mask=None):
        states = ()
        for layer in self.layers:
            states = states + (hidden_states,)
            hidden_states = layer(hidden_states, attention_mask=attention_mask)
        return BaseModelOutput(last_hidden_state=hidden_states, hidden_states=states)

    with patch.object(MllamaVisionEncoder, "forward", forward):
        yield
