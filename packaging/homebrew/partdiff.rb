# Homebrew, for a tap. Not run yet: ruby parses it, and no more. Before it is published: OWNER is the project's, and
# sha256 that of the archive.
class Partdiff < Formula
  desc "Upscales photographs and MR images with a diffusion model"
  homepage "https://github.com/OWNER/partdiff"
  url "https://github.com/OWNER/partdiff/archive/refs/tags/v0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build
  # Found in Homebrew's lib.
  depends_on "onnxruntime"

  def install
    system "cargo", "build", "--locked", "--profile", "dist"
    with_env(PARTDIFF_BUILT: buildpath/"target/dist", ZSHDIR: zsh_completion) do
      system "packaging/install.sh", prefix
    end
  end

  def caveats
    <<~EOS
      The plug-in for GIMP is put into your profiles by
        partdiff gimp install
    EOS
  end

  test do
    system bin/"partdiff", "doctor"
    (testpath/"in.ppm").binwrite "P6 4 4 255\n#{"abc" * 16}"
    system bin/"partdiff", "upscale", "in.ppm"
    assert_path_exists testpath/"in_x4.ppm"
  end
end
