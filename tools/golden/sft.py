"""One supervised batch of a tiny LLaVA in PyTorch: loss, every gradient, and the weights after three AdamW steps.

`python tools/golden/sft.py` writes packages/models/src/__fixtures__/sft.safetensors. Double precision, from weights
that float32 holds exactly.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlavaConfig, LlavaForConditionalGeneration, __version__

from common import randomize, seed_everything

IMAGE_TOKEN = 29
IGNORED = -100
OPTIMIZER = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-5, "maxGradientNorm": 1.0, "weightDecay": 0.1}
RATES = {"connector": 0.004, "rest": 0.001}
STEPS = 3


def main():
    seed_everything(0)
    config = LlavaConfig(
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 8,
            "intermediate_size": 13,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 11,
            "patch_size": 5,
            "vision_use_head": False,
        },
        text_config={
            "model_type": "llama",
            "hidden_size": 12,
            "intermediate_size": 17,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 6,
            "vocab_size": 31,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
        },
        image_token_index=IMAGE_TOKEN,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_seq_length=4,
    )
    model = randomize(LlavaForConditionalGeneration(config).eval(), 11).double()
    pixels = torch.randn(2, 3, 11, 11).float()
    image = [IMAGE_TOKEN] * 4
    ids = torch.tensor([[1, *image, 5, 17, 9, 2, 3], [1, 4, *image, 8, 21, 2, 0]])
    mask = torch.ones_like(ids)
    mask[1, -1] = 0
    labels = ids.clone()
    labels[:, :6] = IGNORED
    labels[1, 6] = IGNORED
    labels[mask == 0] = IGNORED
    start = state(model)
    groups = {name: "connector" if "multi_modal_projector" in name else "rest" for name in start}

    def loss_of():
        return model(input_ids=ids, attention_mask=mask, pixel_values=pixels.double(), labels=labels, use_cache=False).loss

    settings = {}
    for name, parameter in model.named_parameters():
        decay = OPTIMIZER["weightDecay"] if parameter.dim() > 1 else 0.0
        settings.setdefault((groups[name], decay), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": chosen, "lr": RATES[group], "weight_decay": decay} for (group, decay), chosen in settings.items()],
        betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]),
        eps=OPTIMIZER["eps"],
    )
    losses, gradients = [], {}
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), OPTIMIZER["maxGradientNorm"])
        optimizer.step()
        print(step, float(loss), float(norm))
    after = state(model)
    tensors = {
        **{f"weights.{name}": value for name, value in start.items()},
        **{f"gradients.{name}": value for name, value in gradients.items()},
        **{f"after.{name}": after[name] for name in gradients},
        "losses.value": torch.stack(losses),
        "inputs.pixel_values": pixels,
    }
    tensors = {name: value.float().contiguous() for name, value in tensors.items()}
    tensors |= {"inputs.input_ids": ids, "inputs.labels": labels, "inputs.attention_mask": mask}
    path = Path(__file__).resolve().parents[2] / "packages" / "models" / "src" / "__fixtures__" / "sft.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        tensors,
        path,
        {
            "format": "pt",
            "made_by": f"tools/golden/sft.py with transformers {__version__}, torch {torch.__version__}",
            "config": json.dumps(model.config.to_diff_dict(), sort_keys=True),
            "optimizer": json.dumps({**OPTIMIZER, "rates": RATES}),
        },
    )
    print(path, path.stat().st_size, len(gradients), "of", len(start), "parameters learn")


def state(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


if __name__ == "__main__":
    main()
