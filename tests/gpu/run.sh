#!/usr/bin/env bash
# All that a graphics card is needed for, in under ten minutes: the provider proven, its images equal to the processor's,
# seconds per megapixel, and how busy the card is. Needs bash, Python 3 and the built command; nothing is downloaded.
#
#   tests/gpu/run.sh [PARTDIFF] [DEVICE...]
#
# PARTDIFF is target/release/partdiff unless given; without a DEVICE, all that have hardware of their own are tried, and
# those that do not run are named. PARTDIFF_ARGS holds more options for each run, such as "--library PATH". Fails where a
# DEVICE that was given does not run, or an image of any is off by more than its limit.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
partdiff=$(realpath "${1:-$root/target/release/partdiff}")
shift $(($# > 0))
named=$#
devices=("$@")
((named)) || devices=(cuda tensorrt webgpu openvino:gpu openvino:npu)
read -ra more <<<"${PARTDIFF_ARGS:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

python3 - "$work" <<'PYTHON'
"""Ten images: gradients, edges, text-like strokes, noise, flat areas, in colour and grey."""
import math, random, sys
folder = sys.argv[1]
random.seed(7)
side = 192
kinds = {
    "gradient": lambda x, y, c: 255 * (x if c else y) / side,
    "rings": lambda x, y, c: 127 + 127 * math.sin((x * x + y * y) / (90 + 20 * c)),
    "checks": lambda x, y, c: 255 * ((x // 7 + y // 5) % 2),
    "strokes": lambda x, y, c: 0 if (x % 11 in (2, 3) and y % 17 > 4) or y % 17 == 5 else 240,
    "noise": lambda x, y, c: random.randrange(256),
    "grain": lambda x, y, c: 128 + random.gauss(0, 12) + 40 * math.sin(x / 20 + c),
    "flat": lambda x, y, c: (30, 120, 220)[c],
    "dark": lambda x, y, c: 3 + 4 * math.sin(x / 9) * math.cos(y / 13),
    "skin": lambda x, y, c: (224, 172, 150)[c] - 60 * math.hypot(x - 96, y - 96) / side,
    "waves": lambda x, y, c: 127 + 100 * math.sin(x / (3 + y / 40)) * math.cos(c + y / 17),
}
for name, value in kinds.items():
    data = bytes(min(255, max(0, round(value(x, y, c)))) for y in range(side) for x in range(side) for c in range(3))
    open(f"{folder}/{name}.ppm", "wb").write(b"P6 %d %d 255\n" % (side, side) + data)
line = bytes(min(255, max(0, round(kinds["waves"](x % side, 40, c)))) for x in range(1024) for c in range(3))
open(f"{folder}/megapixel.ppm", "wb").write(b"P6 1024 1024 255\n" + line * 1024)
PYTHON

upscale() { "$partdiff" upscale --quiet --overwrite --format ppm --device "$1" "${more[@]}" "${@:2}"; }

images=("$work"/{gradient,rings,checks,strokes,noise,grain,flat,dark,skin,waves}.ppm)
for preset in faithful detailed; do
    upscale cpu --preset "$preset" -o "$work/cpu-$preset/" "${images[@]}"
done
"$partdiff" doctor "${more[@]}" || true

for device in "${devices[@]}"; do
    echo "== $device"
    if ! upscale "$device" -o "$work/$device-first.ppm" "${images[0]}"; then
        ((named == 0)) || failed=1
        continue
    fi
    # TensorRT keeps to tf32 and NPUs to fp16, which round in other places; bf16 has three bits less than these.
    limit=1
    case $device in
    tensorrt | openvino:npu) limit=2 ;;
    openvino:bf16) limit=8 ;;
    esac
    for preset in faithful detailed; do
        upscale "$device" --preset "$preset" -o "$work/$device-$preset/" "${images[@]}"
        python3 - "$work/cpu-$preset" "$work/$device-$preset" "$limit" <<'PYTHON' || failed=1
import os, sys
kept, made, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
bad = False
for name in sorted(os.listdir(kept)):
    one, other = (open(f"{folder}/{name}", "rb").read() for folder in (kept, made))
    assert len(one) == len(other), name
    differences = [abs(a - b) for a, b in zip(one, other)]
    worst, off = max(differences), sum(d > 0 for d in differences) / len(one)
    print(f"{name:28} largest difference {worst}, {off:.4%} of bytes differ")
    bad |= worst > limit
sys.exit(bad)
PYTHON
    done
    if command -v nvidia-smi >/dev/null; then
        nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits -lms 200 >"$work/busy" &
        watcher=$!
    fi
    for steps in 1 6; do
        start=$(date +%s.%N)
        upscale "$device" --steps "$steps" -o "$work/large.ppm" "$work/megapixel.ppm"
        end=$(date +%s.%N)
        python3 -c "print('16.8 megapixels, $steps steps: %.2f s in all, %.3f s for a megapixel' % ($end - $start, ($end - $start) / 16.8))"
    done
    if [ -n "${watcher:-}" ]; then
        kill "$watcher" && wait "$watcher" 2>/dev/null || true
        watcher=
        awk '{ sum += $1 } END { if (NR) printf "the card was busy %.0f %% of the time\n", sum / NR }' "$work/busy"
    fi
done
exit $failed
