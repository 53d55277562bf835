"""Three steps of PyTorch's optimizers: `python tools/golden/optimizers.py` writes packages/testing/src/__fixtures__/optimizers.json.

Two groups with their own rates, decay on one of them; gradients are sums over tokens that a step divides by its
number of tokens, and the first is large enough to be clipped. Once everything learns by AdamW, once the matrices learn by
Muon, whose arithmetic is kept in double precision here: PyTorch halves it to bfloat16.
"""

import json
from pathlib import Path

import torch

STEPS = [
    {"weight": 3, "rates": {"matrices": 0.02, "vectors": 0.05}, "size": 9.0},
    {"weight": 5, "rates": {"matrices": 0.03, "vectors": 0.04}, "size": 2.0},
    {"weight": 2, "rates": {"matrices": 0.01, "vectors": 0.01}, "size": 0.2},
]
OPTIONS = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-6, "momentum": 0.9}
DECAY = {"matrices": 0.1, "vectors": 0.0}
LARGEST_NORM = 1.5


def main():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    torch.Tensor.bfloat16 = lambda tensor: tensor
    shapes = {"a.weight": (3, 5), "b.weight": (2, 3), "b.bias": (3,), "c.weight": (6, 4)}
    group_of = {name: "vectors" if len(shape) == 1 else "matrices" for name, shape in shapes.items()}
    start = {name: torch.randn(shape) for name, shape in shapes.items()}
    sums = [{name: torch.randn(shape) * step["size"] for name, shape in shapes.items()} for step in STEPS]
    cases = {
        rule: {clip: run(rule, clip, start, sums, group_of) for clip in ("global", "group", "none")}
        for rule in ("adamw", "muon")
    }
    fixture = {
        "options": OPTIONS,
        "decay": DECAY,
        "largestNorm": LARGEST_NORM,
        "groups": group_of,
        "shapes": shapes,
        "start": lists(start),
        "steps": [{**step, "gradients": lists(gradients)} for step, gradients in zip(STEPS, sums)],
        "cases": cases,
    }
    path = Path(__file__).resolve().parents[2] / "packages" / "testing" / "src" / "__fixtures__" / "optimizers.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fixture, indent=1) + "\n")
    print(path, path.stat().st_size)


def lists(tensors):
    return {name: tensor.detach().flatten().tolist() for name, tensor in tensors.items()}


def run(rule, clip, start, sums, group_of):
    """Norms before clipping and values after every step."""
    parameters = {name: value.clone().requires_grad_() for name, value in start.items()}
    members = {group: [p for name, p in parameters.items() if group_of[name] == group] for group in DECAY}
    groups = [{"params": members[group], "weight_decay": DECAY[group], "lr": 0.0} for group in DECAY]
    by_adamw = [group for name, group in zip(DECAY, groups) if rule == "adamw" or name == "vectors"]
    optimizers = [
        torch.optim.AdamW(by_adamw, betas=(OPTIONS["beta1"], OPTIONS["beta2"]), eps=OPTIONS["eps"]),
    ]
    if rule == "muon":
        optimizers.append(
            torch.optim.Muon(groups[:1], momentum=OPTIONS["momentum"], adjust_lr_fn="match_rms_adamw")
        )
    results = []
    for step, gradients in zip(STEPS, sums):
        for name, parameter in parameters.items():
            parameter.grad = gradients[name] / step["weight"]
        for optimizer in optimizers:
            for settings in optimizer.param_groups:
                [group] = [name for name in DECAY if any(p is settings["params"][0] for p in members[name])]
                settings["lr"] = step["rates"][group]
        sets = {"": list(parameters.values())} if clip != "group" else members
        limit = float("inf") if clip == "none" else LARGEST_NORM
        norms = {group: float(torch.nn.utils.clip_grad_norm_(chosen, limit)) for group, chosen in sets.items()}
        for optimizer in optimizers:
            optimizer.step()
        results.append({"norms": norms, "values": lists(parameters)})
    return results


if __name__ == "__main__":
    main()
