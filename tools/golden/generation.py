"""Writes the fixtures of how packages/runtime applies generation_config.json: the fields and defaults of
transformers, scores after its logits processors for random settings and histories, and the tokens that `generate`
chooses on tiny models under random settings.

Run: python tools/golden/generation.py
Made with transformers 5.18.0, torch 2.13.0.
"""

import base64
import json
import math
import random
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer, GenerationConfig
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList

PACKAGES = Path(__file__).resolve().parents[2] / "packages"
OUT = PACKAGES / "runtime" / "src" / "__fixtures__"
MODELS = PACKAGES / "models" / "__fixtures__"
VERSIONS = {"transformers": transformers.__version__, "torch": torch.__version__}


def packed(tensor):
    """float32, little-endian, base64."""
    return base64.b64encode(tensor.to(torch.float32).contiguous().numpy().astype("<f4").tobytes()).decode()


def defaults_fixture():
    """Every field of GenerationConfig, with the value that `generate` fills in for one that nobody set."""
    fields = GenerationConfig().to_dict()
    fields.pop("transformers_version")
    filled = GenerationConfig._get_default_generation_params()
    return {**VERSIONS, "defaults": {name: filled.get(name) for name in sorted(fields)}}


class Halved(LogitsProcessor):
    """Stands for a caller's own processor: its place among the others shows in the result."""

    def __call__(self, input_ids, scores):
        return scores * 0.5


def tokens(rng, vocabulary, count):
    return [rng.randrange(vocabulary) for _ in range(count)]


def makers(rng, vocabulary, ids, ends):
    """A random value for each field that changes scores. Many name tokens of the history, so that they matter."""

    def seen():
        return rng.choice(ids) if rng.random() < 0.5 else rng.randrange(vocabulary)

    def words(count):
        result = []
        for _ in range(count):
            length = rng.choice([1, 1, 2, 3])
            end = ids[len(ids) - length + 1 :] if rng.random() < 0.5 and length > 1 else tokens(rng, vocabulary, length - 1)
            result.append([*end, seen()])
        return result

    return {
        "sequence_bias": lambda: [[word, round(rng.uniform(-6, 6), 3)] for word in words(rng.randint(1, 6))],
        "encoder_repetition_penalty": lambda: rng.choice([0.6, 1.2, 1.9]),
        "repetition_penalty": lambda: rng.choice([0.7, 1.05, 1.3, 2.5]),
        "no_repeat_ngram_size": lambda: rng.randint(1, 4),
        "encoder_no_repeat_ngram_size": lambda: rng.randint(1, 4),
        "bad_words_ids": lambda: words(rng.randint(1, 5)) + ([[ends[0]]] if rng.random() < 0.3 else []),
        "min_length": lambda: max(0, len(ids) + rng.randint(-2, 2)),
        "min_new_tokens": lambda: rng.randint(0, 12),
        "forced_bos_token_id": lambda: rng.randrange(vocabulary),
        "forced_eos_token_id": lambda: rng.choice([ends[0], ends, rng.randrange(vocabulary)]),
        "remove_invalid_values": lambda: True,
        "exponential_decay_length_penalty": lambda: [rng.randint(0, 6), round(rng.uniform(0.8, 1.4), 3)],
        "suppress_tokens": lambda: sorted({seen() for _ in range(rng.randint(1, 9))}),
        "begin_suppress_tokens": lambda: sorted({seen() for _ in range(rng.randint(1, 9))}),
        "temperature": lambda: round(rng.uniform(0.2, 2.2), 3),
        "top_h": lambda: round(rng.uniform(0.1, 1.0), 3),
        "top_k": lambda: rng.choice([0, 1, 3, 12, 40, 500]),
        "top_p": lambda: round(rng.uniform(0.02, 0.999), 3),
        "min_p": lambda: round(rng.uniform(0.0, 0.6), 3),
        "typical_p": lambda: round(rng.uniform(0.05, 0.98), 3),
        "epsilon_cutoff": lambda: round(rng.uniform(0.0005, 0.05), 4),
        "eta_cutoff": lambda: round(rng.uniform(0.0005, 0.1), 4),
        "watermarking_config": lambda: {
            "greenlist_ratio": round(rng.uniform(0.1, 0.7), 2),
            "bias": round(rng.uniform(0.5, 4.0), 2),
            "hashing_key": rng.choice([15485863, 32452843, 7]),
            "seeding_scheme": rng.choice(["lefthash", "lefthash", "selfhash"]),
            "context_width": rng.randint(1, 4),
        },
        "renormalize_logits": lambda: True,
    }


SAMPLING = {"temperature", "top_h", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"}


def processed(model, fields, ids, prompt, most, logits, custom):
    """The scores that `generate` would choose from, by its own preparation of a generation_config.json."""
    model.generation_config = GenerationConfig(**fields, max_new_tokens=most)
    model.config.vocab_size = logits.shape[-1]
    inputs = torch.tensor([ids[:prompt]])
    config, _ = model._prepare_generation_config(None)
    model._prepare_special_tokens(config, True, device=torch.device("cpu"), batch_size=1)
    config = model._prepare_generated_length(config, True, "min_length" not in fields, "input_ids", prompt, inputs)
    processors = model._get_logits_processor(
        config,
        input_ids_seq_length=prompt,
        encoder_input_ids=inputs,
        logits_processor=LogitsProcessorList([Halved()] if custom else []),
        device="cpu",
    )
    return processors(torch.tensor([ids]), logits.clone())


def near_a_threshold(model, case, logits):
    """Whether noise of the size of a rounding error changes what is kept; such samples prove nothing."""
    kept = processed(model, *case[:4], logits, case[4]).isneginf()
    for seed in (1, 2):
        noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed)) * 2e-5
        if not torch.equal(processed(model, *case[:4], logits + noise, case[4]).isneginf(), kept):
            return True
    return False


def processors_fixture(model):
    rng = random.Random(11)
    generator = torch.Generator().manual_seed(11)
    names = list(makers(rng, 7, [1, 2], [3]))
    plan = [[name] for name in names for _ in range(8)]
    plan += [[name for name in names if rng.random() < share] for share in (0.2, 0.4, 0.7) for _ in range(45)]
    samples = []
    for chosen in plan:
        while True:
            vocabulary = rng.choice([23, 37, 61, 97])
            prompt = rng.choice([1, 1, 2, 7, 13])
            ids = tokens(rng, min(vocabulary, rng.choice([5, 12, 97])), prompt + rng.choice([0, 0, 1, 2, 5, 9]))
            ends = sorted(rng.sample(range(vocabulary), rng.choice([1, 1, 2, 3])))
            make = makers(rng, vocabulary, ids, ends)
            fields = {name: make[name]() for name in chosen}
            # Which of equal logits stay is nobody's rule.
            if SAMPLING & set(chosen) and isinstance(fields.get("forced_eos_token_id"), list):
                fields["forced_eos_token_id"] = ends[0]
            fields["eos_token_id"] = ends
            fields["do_sample"] = bool(SAMPLING & set(chosen)) or rng.random() < 0.3
            if rng.random() < 0.3:
                fields["num_beams"] = rng.randint(2, 4)
            most = len(ids) - prompt + rng.choice([1, 1, 2, 9])
            custom = rng.random() < 0.3
            logits = torch.randn(1, vocabulary, generator=generator) * rng.choice([0.7, 2.0, 5.0])
            if "remove_invalid_values" in fields:
                # Beside an infinite logit all probabilities are 0, and which of equal ones stay is nobody's rule.
                invalid = [math.nan] if SAMPLING & set(chosen) else [math.nan, math.inf, -math.inf]
                logits[0, rng.randrange(vocabulary)] = rng.choice(invalid)
            case = (fields, ids, prompt, most, custom)
            try:
                expected = processed(model, *case[:4], logits, custom)
            except (IndexError, ValueError):
                continue
            if expected.isnan().any() or expected.isneginf().all() or near_a_threshold(model, case, logits):
                continue
            if SAMPLING & set(chosen) and (expected[expected.isfinite()].abs() > 1e30).any():
                continue
            break
        samples.append(
            {
                "fields": fields,
                "ids": ids,
                "prompt": prompt,
                "most": most,
                "custom": custom,
                "logits": packed(logits[0]),
                "expected": packed(expected[0]),
            }
        )
    return {**VERSIONS, "samples": samples}


FOLDERS = ["text-llama3", "text-qwen2-tied", "llava-clip", "text-mistral-window", "llava-siglip-qwen2"]
PROMPTS = ["What color is the star?", "The quick brown", "A house near the house near", "a"]


def model_of(folder, dtype):
    kind = AutoModelForImageTextToText if folder.startswith("llava") else AutoModelForCausalLM
    return kind.from_pretrained(MODELS / folder, dtype=dtype, attn_implementation="eager").eval()


def question_of(folder, index):
    """Of a folder with pictures its own prompt about one: beam search of transformers mixes up several."""
    if not folder.startswith("llava"):
        return PROMPTS[index % len(PROMPTS)]
    return (MODELS / folder / "prompt.txt").read_text(encoding="utf-8").replace("<image>\n<image>", "<image>")


def inputs_of(folder, prompt, tokenizer, dtype):
    if not folder.startswith("llava"):
        return dict(tokenizer(prompt, return_tensors="pt", return_token_type_ids=False))
    golden = load_file(MODELS / folder / "golden.safetensors")
    pixels = golden["pixel_values"]
    placeholder = tokenizer.convert_tokens_to_ids("<image>")
    count = int((golden["input_ids"] == placeholder).sum()) // pixels.shape[0]
    inputs = tokenizer(prompt.replace("<image>", "<image>" * count), return_tensors="pt", return_token_type_ids=False)
    return {**inputs, "pixel_values": pixels[:1].to(dtype)}


def answer(model, inputs, fields, tokenizer):
    """Generated ids as Weft reports them: up to the first end token; of beam search the best."""
    model.generation_config = GenerationConfig(**{"pad_token_id": 0, **fields})
    with torch.no_grad():
        result = model.generate(**inputs, tokenizer=tokenizer, output_scores=True, return_dict_in_generate=True)
    # A forbidden end token that is lifted becomes NaN and wins.
    if any(scores.isnan().any() for scores in result.scores):
        raise ValueError("not a number")
    ids = result.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    end = next((at for at, token in enumerate(ids) if token in fields["eos_token_id"]), len(ids) - 1)
    return ids[: end + 1]


def generate_fixture():
    rng = random.Random(23)
    cases = []
    for index in range(72):
        folder = FOLDERS[index % len(FOLDERS)]
        prompt = question_of(folder, index // len(FOLDERS))
        tokenizer = AutoTokenizer.from_pretrained(MODELS / folder)
        models = [model_of(folder, dtype) for dtype in (torch.float32, torch.float64)]
        inputs = [inputs_of(folder, prompt, tokenizer, dtype) for dtype in (torch.float32, torch.float64)]
        length = inputs[0]["input_ids"].shape[1]
        vocabulary = models[0].config.get_text_config().vocab_size
        free = answer(models[0], inputs[0], {"max_new_tokens": 14, "eos_token_id": [vocabulary]}, tokenizer)
        while True:
            ends = sorted({rng.choice(free[3:]), rng.randrange(vocabulary)})
            ids = [*inputs[0]["input_ids"][0].tolist()[-8:], *free]
            make = makers(rng, vocabulary, ids, ends)
            fields = {name: make[name]() for name in make if name not in SAMPLING and rng.random() < 0.28}
            fields["eos_token_id"] = ends
            fields["max_new_tokens"] = rng.randint(4, 14)
            if rng.random() < 0.25:
                fields["max_length"] = length + fields.pop("max_new_tokens")
            if "min_length" in fields:
                fields["min_length"] = length + rng.randint(-3, 9)
            if rng.random() < 0.3:
                text = tokenizer.decode(free[:8], skip_special_tokens=True)
                plain = [text[at : at + 2] for at in range(len(text) - 2) if text[at : at + 2].isascii() and text[at : at + 2].isalpha()]
                if plain:
                    fields["stop_strings"] = rng.choice([plain[0], plain[:2]])
            if rng.random() < 0.4:
                fields["num_beams"] = rng.randint(2, 4)
                fields["length_penalty"] = rng.choice([-1.0, 0.5, 1.0, 2.0])
                fields["early_stopping"] = rng.choice([True, False, "never"])
                # Which of several ends that score alike comes first is nobody's rule.
                if isinstance(fields.get("forced_eos_token_id"), list):
                    fields["forced_eos_token_id"] = ends[0]
            # Fields that only sampling uses say nothing to a greedy answer.
            if rng.random() < 0.3:
                fields.update(temperature=0.3, top_k=3, top_p=0.4)
            try:
                both = [answer(model, given, fields, tokenizer) for model, given in zip(models, inputs)]
            except (ValueError, RuntimeError):
                continue
            # What rounding decides proves nothing; what the fields did not change proves little.
            plain = {key: fields[key] for key in ("eos_token_id", "max_new_tokens", "max_length") if key in fields}
            if both[0] != both[1] or len(both[0]) < 2 or both[0] == answer(models[0], inputs[0], plain, tokenizer):
                continue
            break
        cases.append({"folder": folder, "prompt": prompt, "fields": fields, "tokenIds": both[0]})
    return {**VERSIONS, "cases": cases}


def write(name, value):
    (OUT / name).write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


def main():
    transformers.logging.set_verbosity_error()
    OUT.mkdir(parents=True, exist_ok=True)
    write("generation-defaults.json", defaults_fixture())
    write("generation-processors.json", processors_fixture(model_of("text-llama3", torch.float32)))
    write("generation-answers.json", generate_fixture())


if __name__ == "__main__":
    main()
