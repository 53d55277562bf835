"""Rules of Llama 3.2 Vision in which Meta's code and transformers 5.18 differ."""

from contextlib import contextmanager
from unittest.mock import patch

from transformers.modeling_outputs import BaseModelOutput
from transformers.models.mllama.modeling_mllama import MllamaCrossAttentionDecoderLayer, MllamaVisionEncoder


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


@contextmanager
def unseen_attention():
    """Inside, a token that sees no image gets nothing of the attention of cross-attention layers, as in Meta's code.
    transformers leaves out the MLP of such a token only, while its attention goes to all images."""

    def forward(self, hidden_states, cross_attention_states, cross_attention_mask, attention_mask, full_text_row_masked_out_mask, past_key_values=None, **kwargs):
        sees = 1.0 if full_text_row_masked_out_mask is None else full_text_row_masked_out_mask[:, 0]
        attention, _ = self.cross_attn(
            hidden_states=self.input_layernorm(hidden_states),
            attention_mask=cross_attention_mask,
            cross_attention_states=cross_attention_states,
            past_key_values=past_key_values,
        )
        hidden_states = hidden_states + self.cross_attn_attn_gate.tanh() * sees * attention
        mlp = self.mlp(self.post_attention_layernorm(hidden_states))
        return hidden_states + self.cross_attn_mlp_gate.tanh() * sees * mlp

    with patch.object(MllamaCrossAttentionDecoderLayer, "forward", forward):
        yield
