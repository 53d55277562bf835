"""Golden values of Honeybee's C-Abstractor: `python tools/golden/c_abstractor.py` writes the fixtures of
`connector-c-abstractor`; the form is that of parts.py.

The modules are written here from Honeybee's `honeybee/projectors/projectors.py` and the blocks of timm that it names
(`timm.models.regnet.RegStage`, `timm.layers.LayerNorm2d`), as plain PyTorch under their parameter names. timm needs
torchvision, which must not be installed here.
"""

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F

from common import randomize, seed_everything
from parts import header, write

NORM_EPS = 1e-5
"""Of the norms with an activation that timm makes of `LayerNorm2d`; that class itself has 1e-6."""


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNorm(nn.Module):
    def __init__(self, size_in, size_out, kernel=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(size_in, size_out, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.bn = ChannelNorm(size_out, eps=NORM_EPS)

    def forward(self, x):
        return self.bn(self.conv(x))


class SqueezeExcite(nn.Module):
    def __init__(self, size, reduced):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(size, reduced, 1), nn.Conv2d(reduced, size, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(F.silu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Bottleneck(nn.Module):
    """RegNet's block with one group for each channel; the squeezed width is a quarter of the channels that come in."""

    def __init__(self, size_in, size_out):
        super().__init__()
        self.conv1 = ConvNorm(size_in, size_out)
        self.conv2 = ConvNorm(size_out, size_out, kernel=3, groups=size_out)
        self.se = SqueezeExcite(size_out, round(size_in * 0.25))
        self.conv3 = ConvNorm(size_out, size_out)
        self.downsample = ConvNorm(size_in, size_out) if size_in != size_out else nn.Identity()

    def forward(self, x):
        h = F.silu(self.conv2(F.silu(self.conv1(x))))
        return F.silu(self.conv3(self.se(h)) + self.downsample(x))


class Stage(nn.Sequential):
    def __init__(self, depth, size_in, size_out):
        super().__init__()
        for i in range(depth):
            self.add_module(f"b{i + 1}", Bottleneck(size_out if i else size_in, size_out))


class CAbstractor(nn.Module):
    def __init__(self, **config):
        super().__init__()
        c = SimpleNamespace(**config)
        self.config = SimpleNamespace(to_diff_dict=lambda: config)
        self.tie_weights = lambda: None
        self.eos_tokens = nn.Parameter(torch.randn(1, c.num_eos_tokens, c.output_hidden_size)) if c.num_eos_tokens else None
        self.pos_emb = nn.Parameter(torch.randn(1, c.num_input_tokens, c.encoder_hidden_size)) if c.pos_emb else None
        self.prenorm = nn.LayerNorm(c.encoder_hidden_size, eps=1e-6) if c.prenorm else None
        side = round(c.num_query_tokens**0.5)
        sampler = nn.AdaptiveAvgPool2d((side, side))
        width = c.hidden_size if c.depth else c.encoder_hidden_size
        self.net = (
            nn.Sequential(Stage(c.depth, c.encoder_hidden_size, width), sampler, Stage(c.depth, width, width))
            if c.depth
            else sampler
        )
        layers = [nn.Linear(width, c.output_hidden_size)]
        for _ in range(1, c.mlp_depth):
            layers += [nn.SiLU(), nn.Linear(c.output_hidden_size, c.output_hidden_size)]
        self.readout = nn.Sequential(*layers)

    def forward(self, x):
        if self.prenorm is not None:
            x = self.prenorm(x)
        if self.pos_emb is not None:
            x = x + self.pos_emb
        side = int(x.size(1) ** 0.5)
        x = self.net(x.transpose(1, 2).unflatten(2, (side, side))).flatten(2).transpose(1, 2)
        x = self.readout(x)
        if self.eos_tokens is not None:
            x = torch.cat([x, self.eos_tokens.expand(len(x), -1, -1)], dim=1)
        return x


PUBLISHED = dict(
    encoder_hidden_size=1024,
    hidden_size=1024,
    output_hidden_size=4096,
    num_input_tokens=576,
    num_query_tokens=144,
    depth=3,
    mlp_depth=2,
    pos_emb=True,
    num_eos_tokens=0,
    prenorm=False,
)
"""Honeybee-C-7B-M144 on CLIP ViT-L/14 at 336 pixels."""

TINY = {
    # Seven rows become three: windows overlap. A width of 10 is squeezed to 2, not 3: halves round to even.
    "wider": dict(encoder_hidden_size=10, hidden_size=14, num_input_tokens=49, num_query_tokens=9, depth=2, mlp_depth=2, num_eos_tokens=0, prenorm=False),
    "same-width": dict(encoder_hidden_size=12, hidden_size=12, num_input_tokens=16, num_query_tokens=4, depth=1, mlp_depth=3, num_eos_tokens=2, prenorm=True),
    # Five rows become seven: windows of one row occur twice.
    "no-blocks": dict(encoder_hidden_size=6, hidden_size=9, num_input_tokens=25, num_query_tokens=49, depth=0, mlp_depth=1, num_eos_tokens=1, prenorm=False),
}


def write_all():
    for name, config in TINY.items():
        model = randomize(CAbstractor(**config, output_hidden_size=7, pos_emb=name != "no-blocks").eval(), 21)
        features = torch.randn(2, config["num_input_tokens"], config["encoder_hidden_size"])
        with torch.no_grad():
            rows = model(features).flatten(0, 1)
        write("connector-c-abstractor", f"{name}.safetensors", model, {"features": features}, {"rows": rows})
    header("connector-c-abstractor", "honeybee-c-7b-m144.header.json", lambda: CAbstractor(**PUBLISHED))


if __name__ == "__main__":
    seed_everything(0)
    write_all()
