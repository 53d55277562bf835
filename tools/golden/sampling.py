"""Writes the fixtures of packages/runtime: logits after transformers' processors, and beam search on tiny models.

Run: python tools/golden/sampling.py
Made with transformers 5.18.0, torch 2.13.0.
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

PACKAGES = Path(__file__).resolve().parents[2] / "packages"
OUT = PACKAGES / "runtime" / "src" / "__fixtures__"
MODELS = PACKAGES / "models" / "__fixtures__"

CASES = [
    {"repetitionPenalty": 1.3},
    {"repetitionPenalty": 0.7},
    {"noRepeatNgramSize": 1},
    {"noRepeatNgramSize": 2},
    {"noRepeatNgramSize": 3},
    {"temperature": 0.6},
    {"topK": 1},
    {"topK": 7},
    {"topK": 500},
    {"topP": 0.9},
    {"topP": 0.35},
    {"topP": 0.01},
    {"minP": 0.05},
    {"minP": 0.5},
    {"temperature": 1.7, "topK": 20, "topP": 0.8},
    {"repetitionPenalty": 1.2, "noRepeatNgramSize": 2, "temperature": 0.7, "topK": 25, "topP": 0.95, "minP": 0.02},
]


def processors(case):
    """The processors of a case in the order in which `generate` applies them."""
    makers = {
        "repetitionPenalty": RepetitionPenaltyLogitsProcessor,
        "noRepeatNgramSize": NoRepeatNGramLogitsProcessor,
        "temperature": TemperatureLogitsWarper,
        "topK": TopKLogitsWarper,
        "topP": TopPLogitsWarper,
        "minP": MinPLogitsWarper,
    }
    return LogitsProcessorList([make(case[name]) for name, make in makers.items() if name in case])


def logits_fixture():
    """Random logits of a vocabulary of 61, an odd history with repetitions, and the logits after each case."""
    generator = torch.Generator().manual_seed(3)
    samples = []
    for case in CASES:
        for spread in (1.0, 4.0):
            logits = torch.randn(1, 61, generator=generator) * spread
            ids = torch.randint(0, 12, (1, 23), generator=generator)
            processed = processors(case)(ids, logits.clone())[0]
            samples.append(
                {
                    "settings": case,
                    "ids": ids[0].tolist(),
                    "logits": logits[0].tolist(),
                    "expected": [None if value == float("-inf") else value for value in processed.tolist()],
                }
            )
    return {"transformers": transformers.__version__, "torch": torch.__version__, "samples": samples}


BEAMS = [
    {"numBeams": 2, "maxNewTokens": 8},
    {"numBeams": 4, "maxNewTokens": 12, "numReturnSequences": 3},
    {"numBeams": 3, "maxNewTokens": 16, "lengthPenalty": 2.0, "numReturnSequences": 3},
    {"numBeams": 3, "maxNewTokens": 16, "lengthPenalty": -1.0, "numReturnSequences": 3},
    {"numBeams": 3, "maxNewTokens": 16, "earlyStopping": True, "numReturnSequences": 3},
    {"numBeams": 3, "maxNewTokens": 16, "earlyStopping": "never", "lengthPenalty": 0.5, "numReturnSequences": 3},
    {"numBeams": 4, "maxNewTokens": 10, "repetitionPenalty": 1.3, "noRepeatNgramSize": 2},
]
NAMES = {
    "numBeams": "num_beams",
    "maxNewTokens": "max_new_tokens",
    "numReturnSequences": "num_return_sequences",
    "lengthPenalty": "length_penalty",
    "earlyStopping": "early_stopping",
    "repetitionPenalty": "repetition_penalty",
    "noRepeatNgramSize": "no_repeat_ngram_size",
}


def beams_fixture():
    """Beam search of a tiny text model. End tokens are picked among the likely ones, so that beams really end early."""
    folder = "text-llama3"
    model = AutoModelForCausalLM.from_pretrained(MODELS / folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODELS / folder)
    cases = []
    for index, settings in enumerate(BEAMS):
        prompt = ["What color is the star?", "The quick brown", "A house near", "There are three"][index % 4]
        inputs = tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            free = model.generate(**inputs, do_sample=False, max_new_tokens=6, eos_token_id=None, pad_token_id=0)
            likely = model(free).logits[0, inputs["input_ids"].shape[1] :].topk(3).indices
            ends = sorted({int(likely[2, 1]), int(likely[4, 2])})
            result = model.generate(
                **inputs,
                do_sample=False,
                eos_token_id=ends,
                pad_token_id=0,
                output_scores=True,
                return_dict_in_generate=True,
                **{NAMES[name]: value for name, value in settings.items()},
            )
        length = inputs["input_ids"].shape[1]
        sequences = []
        for row in result.sequences[:, length:].tolist():
            end = next((at for at, token in enumerate(row) if token in ends), len(row) - 1)
            sequences.append(row[: end + 1])
        cases.append(
            {
                "prompt": prompt,
                "ends": ends,
                "settings": settings,
                "sequences": sequences,
                "scores": result.sequences_scores.tolist(),
            }
        )
    return {"transformers": transformers.__version__, "torch": torch.__version__, "folder": folder, "cases": cases}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, value in (("logits.json", logits_fixture()), ("beams.json", beams_fixture())):
        (OUT / name).write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
