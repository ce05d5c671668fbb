// Doubles a test image through strips, with a progress that cancels where it is asked to:
//
//     c++ -std=c++11 upscale.cpp -o upscale $(pkg-config --cflags --libs partdiff)
//     ./upscale result.ppm [FRACTION AT WHICH TO CANCEL]
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

#include "partdiff.hpp"

namespace {

partdiff_image rgb8(std::uint32_t width, std::uint32_t height)
{
    partdiff_image image = partdiff_image();
    image.struct_size = sizeof image;
    image.sample = PARTDIFF_SAMPLE_U8;
    image.color = PARTDIFF_COLOR_RGB;
    image.width = width;
    image.height = height;
    return image;
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc < 2) {
        std::cerr << "usage: " << argv[0] << " RESULT.ppm [CANCEL_AT]\n";
        return 2;
    }
    const double cancel_at = argc > 2 ? std::atof(argv[2]) : 2.0;

    partdiff::Context context;
    context.set("device", "cpu");
    const partdiff::Model model = context.open();
    partdiff::Job job = model.job();
    job.set("scale", 2.0);
    job.set("preset", model.presets().front());

    const partdiff_image small = rgb8(120, 80);
    const std::pair<std::uint32_t, std::uint32_t> size = job.output_size(small.width, small.height);
    const partdiff_image large = rgb8(size.first, size.second);
    std::ofstream file(argv[1], std::ios::binary);
    file << "P6\n" << large.width << ' ' << large.height << "\n255\n";

    // Rings, computed as they are asked for; nowhere is there a whole image in this program.
    const partdiff::Rows read = [](std::uint32_t top, const partdiff_image &strip) {
        std::uint8_t *sample = static_cast<std::uint8_t *>(strip.data);
        for (std::uint32_t y = top; y < top + strip.height; y++)
            for (std::uint32_t x = 0; x < strip.width; x++)
                for (std::uint32_t channel = 0; channel < 3; channel++)
                    *sample++ = static_cast<std::uint8_t>(((x * x + y * y) >> (3 + channel)) & 0xFF);
        return true;
    };
    const partdiff::Rows write = [&](std::uint32_t, const partdiff_image &strip) {
        file.write(static_cast<const char *>(strip.data), static_cast<std::streamsize>(strip.size));
        return file.good();
    };
    const partdiff::Progress progress = [&](double fraction, std::uint32_t, std::uint32_t) {
        return fraction < cancel_at;
    };
    job.upscale(small, large, progress, read, write);
    std::cerr << model.text("name") << " on " << model.text("provider") << ": " << size.first << 'x' << size.second
              << '\n';
    return 0;
} catch (const partdiff::Error &error) {
    std::cerr << "status " << error.status() << ": " << error.what() << '\n';
    return 1;
}
