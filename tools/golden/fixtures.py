"""Writes every committed fixture again, with the arguments it was made with. See README.md."""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent.parent / "packages" / "models" / "__fixtures__"

FIXTURES = {
    "llava-clip": ["llava.py", "--variant", "clip", "--images", "2", "--seed", "1"],
    "llava-siglip-qwen2": ["llava.py", "--variant", "siglip", "--text", "qwen2", "--tied", "--seed", "2"],
    "llava-hub-names": ["llava.py", "--variant", "hub-names", "--text", "llama3", "--seed", "3"],
    "llava-batch": ["llava.py", "--variant", "batch-left", "--tied", "--seed", "9"],
    "llava-dino": ["llava.py", "--tower", "dino", "--text", "qwen2", "--images", "2", "--seed", "21"],
    "llava-sharded": ["llava.py", "--variant", "sharded", "--seed", "5"],
    "llava-next-two": ["llava_next.py", "--variant", "two", "--tied", "--seed", "12"],
    "llava-onevision-two": ["llava_next.py", "--model", "llava_onevision", "--variant", "two", "--text", "qwen2", "--tied", "--most", "2", "--seed", "12"],
    "llava-onevision-shared": ["llava_next.py", "--model", "llava_onevision", "--variant", "shared", "--text", "qwen2", "--tied", "--most", "2", "--seed", "15"],
    "fuyu-small": ["fuyu.py", "--variant", "small", "--seed", "3"],
    "fuyu-large": ["fuyu.py", "--variant", "large", "--seed", "5"],
    "janus-two": ["janus.py", "--variant", "two", "--lean", "--tied", "--seed", "4"],
    "janus-deep": ["janus.py", "--variant", "one", "--lean", "--tied", "--depth", "4", "--seed", "6"],
    "aria-two": ["aria.py", "--variant", "hub", "--seed", "5"],
    "aria-split": ["aria.py", "--variant", "split", "--tied", "--seed", "8"],
    "mllama-apart": ["mllama.py", "--variant", "apart", "--capture", "before", "--seed", "1"],
    "mllama-two-tiles": ["mllama.py", "--variant", "hub", "--capture", "after", "--seed", "2"],
    "mllama-batch": ["mllama.py", "--variant", "batch-left", "--capture", "before", "--unseen", "attention-and-mlp", "--seed", "3"],
    "mm1.5-two": ["mm15.py", "--variant", "two", "--experts", "--tied", "--seed", "1"],
    "mm1.5-three": ["mm15.py", "--variant", "three", "--seed", "2"],
    "molmo-portrait": ["molmo.py", "--text", "qwen2", "--variant", "portrait", "--seed", "6"],
    "molmo-olmo-batch": ["molmo.py", "--text", "olmo", "--variant", "batch-left", "--seed", "5"],
    "molmoe-odd": ["molmo.py", "--text", "olmoe", "--odd", "--variant", "square", "--seed", "5"],
    "nvlm-d": ["nvlm.py", "--method", "D", "--variant", "plain", "--seed", "1"],
    "nvlm-x": ["nvlm.py", "--method", "X", "--variant", "later", "--seed", "2"],
    "nvlm-h": ["nvlm.py", "--method", "H", "--variant", "later", "--seed", "3"],
    "internvl-two": ["internvl.py", "--variant", "two", "--seed", "1"],
    "internvl-large": ["internvl.py", "--variant", "large", "--text", "llama", "--tied", "--seed", "2"],
    "internvl-original": ["internvl.py", "--variant", "original", "--seed", "3"],
    "idefics3-split": ["smolvlm.py", "--variant", "split", "--seed", "1"],
    "idefics3-hub": ["smolvlm.py", "--variant", "hub", "--seed", "2"],
    "smolvlm-many": ["smolvlm.py", "--model", "smolvlm", "--variant", "many", "--scale", "4", "--tied", "--seed", "3"],
    "smolvlm-stretch": ["smolvlm.py", "--model", "smolvlm", "--variant", "stretch", "--tied", "--seed", "4"],
    "idefics3-batch": ["smolvlm.py", "--variant", "batch-left", "--scale", "4", "--tied", "--seed", "5"],
    "text-llama3": ["text.py", "--variant", "llama3", "--seed", "1"],
    "text-qwen2-tied": ["text.py", "--variant", "qwen2-tied", "--seed", "2"],
    "text-llama-bias": ["text.py", "--variant", "llama-bias", "--seed", "3"],
    "text-mistral-window": ["text.py", "--variant", "mistral", "--seed", "5"],
    "text-qwen2-window": ["text.py", "--variant", "qwen2-window", "--seed", "6"],
    "text-olmo": ["text.py", "--variant", "olmo", "--seed", "7"],
    "text-olmo2": ["text.py", "--variant", "olmo2", "--seed", "8"],
    "text-olmoe": ["text.py", "--variant", "olmoe", "--seed", "9"],
    "text-olmoe-merged": ["text.py", "--variant", "olmoe-merged", "--seed", "10"],
    "text-persimmon": ["text.py", "--variant", "persimmon", "--seed", "11"],
    "text-phi": ["text.py", "--variant", "phi", "--seed", "12"],
    "text-phi3": ["text.py", "--variant", "phi3", "--seed", "13"],
    "text-linear": ["text.py", "--variant", "persimmon", "--rope", "linear", "--seed", "21"],
    "text-dynamic": ["text.py", "--variant", "llama", "--rope", "dynamic", "--seed", "22"],
    "text-dynamic-beyond": ["text.py", "--variant", "phi", "--rope", "dynamic", "--beyond", "--seed", "23"],
    "text-yarn": ["text.py", "--variant", "hub", "--text", "qwen2-window", "--rope", "yarn", "--seed", "24"],
    "text-longrope": ["text.py", "--variant", "mistral", "--rope", "longrope", "--seed", "25"],
    "text-longrope-anew": ["text.py", "--variant", "phi3", "--rope", "longrope", "--seed", "26"],
    "text-proportional": ["text.py", "--variant", "olmo2", "--rope", "proportional", "--seed", "27"],
    "text-bf16": ["text.py", "--variant", "bf16", "--seed", "4"],
    "qwen2-vl-two": ["qwen2_vl.py", "--small", "--variant", "two", "--seed", "1"],
    "qwen2.5-vl-hub": ["qwen2_vl.py", "--small", "--model", "qwen2_5_vl", "--variant", "hub-names", "--tied", "--seed", "1"],
    "qwen2.5-vl-uneven": ["qwen2_vl.py", "--small", "--model", "qwen2_5_vl", "--variant", "two", "--tied", "--uneven", "--seed", "2"],
    "qwen2.5-vl-video": ["qwen2_vl.py", "--small", "--model", "qwen2_5_vl", "--variant", "video", "--tied", "--seed", "1"],
    "qwen2.5-vl-yarn": ["qwen2_vl.py", "--small", "--model", "qwen2_5_vl", "--variant", "hub-names", "--rope", "yarn", "--tied", "--seed", "4"],
    "qwen2-vl-dynamic": ["qwen2_vl.py", "--small", "--variant", "two", "--rope", "dynamic", "--tied", "--seed", "5"],
    "pixtral-hub": ["pixtral.py", "--variant", "hub-names", "--seed", "3"],
    "pixtral-native": ["pixtral.py", "--variant", "native", "--seed", "3"],
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", help="the fixtures to write; all when none is named")
    arguments.add_argument("--out", type=Path, default=TARGET, help="the folder that holds the fixtures")
    arguments = arguments.parse_args()
    unknown = set(arguments.names) - set(FIXTURES)
    if unknown:
        raise SystemExit(f"Unknown fixtures {sorted(unknown)}; known are {sorted(FIXTURES)}.")
    for name in arguments.names or FIXTURES:
        script, *options = FIXTURES[name]
        subprocess.run([sys.executable, str(HERE / script), *options, "--out", str(arguments.out / name)], check=True)


if __name__ == "__main__":
    main()
