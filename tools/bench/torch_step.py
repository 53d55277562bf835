"""Time of one AdamW step of a Llama of the given sizes in eager PyTorch, 16 sequences of 128 tokens; prints milliseconds."""
import json
import statistics
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

sizes = json.loads(sys.argv[1])
torch.manual_seed(0)
model = LlamaForCausalLM(
    LlamaConfig(
        hidden_size=sizes["hiddenSize"],
        intermediate_size=sizes["intermediateSize"],
        num_hidden_layers=sizes["numHiddenLayers"],
        num_attention_heads=sizes["numAttentionHeads"],
        num_key_value_heads=sizes["numAttentionHeads"],
        head_dim=sizes["headDim"],
        vocab_size=sizes["vocabSize"],
    )
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
ids = torch.randint(0, sizes["vocabSize"], (16, 128))
times = []
for step in range(12):
    begin = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    model(input_ids=ids, labels=ids).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step >= 4:
        times.append(1000 * (time.perf_counter() - begin))
print(statistics.median(times))
