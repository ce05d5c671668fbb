// libpartdiff for C++11 and later: handles end with their owners, failures are exceptions. The rules are those of
// partdiff.h.
#ifndef PARTDIFF_HPP
#define PARTDIFF_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "partdiff.h"

namespace partdiff {

// A failure: what() is the library's sentence.
class Error : public std::runtime_error {
public:
    Error(partdiff_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
    partdiff_status status() const noexcept { return status_; }

private:
    partdiff_status status_;
};

namespace detail {

// A handle with the functions that each kind has.
template <typename T, partdiff_status (*Destroy)(T *),
          partdiff_status (*Failure)(const T *, char *, std::size_t, std::size_t *),
          partdiff_status (*Text)(const T *, const char *, char *, std::size_t, std::size_t *)>
class Owner {
public:
    Owner(const Owner &) = delete;
    Owner &operator=(const Owner &) = delete;
    Owner(Owner &&other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
    Owner &operator=(Owner &&other) noexcept
    {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Owner()
    {
        if (handle_ != nullptr)
            Destroy(handle_);
    }

    // The handle, for calls of C; it stays owned.
    T *get() const noexcept { return handle_; }

    // The text with that key; see partdiff.h.
    std::string text(const char *key) const
    {
        return whole([&](char *buffer, std::size_t size, std::size_t *length) {
            check(Text(handle_, key, buffer, size, length));
        });
    }

protected:
    explicit Owner(T *handle) noexcept : handle_(handle) {}

    void check(partdiff_status status) const
    {
        if (status == PARTDIFF_STATUS_OK)
            return;
        std::string message = whole([&](char *buffer, std::size_t size, std::size_t *length) {
            *length = 0;
            Failure(handle_, buffer, size, length);
        });
        throw Error(status, message.empty() ? partdiff_status_text(status) : message);
    }

    std::vector<std::string> lines(const char *key) const
    {
        std::vector<std::string> names;
        std::istringstream all(text(key));
        for (std::string name; std::getline(all, name);)
            names.push_back(name);
        return names;
    }

private:
    template <typename Get> static std::string whole(Get get)
    {
        std::size_t length = 0;
        std::string buffer(256, '\0');
        get(&buffer[0], buffer.size(), &length);
        if (length >= buffer.size()) {
            buffer.resize(length + 1);
            get(&buffer[0], buffer.size(), &length);
        }
        buffer.resize(length < buffer.size() ? length : buffer.size() - 1);
        return buffer;
    }

    T *handle_;
};

} // namespace detail

// Told the share of the work done, 0 to 1, the step at work and the steps; false cancels.
using Progress = std::function<bool(double fraction, std::uint32_t step, std::uint32_t steps)>;

// Given a strip of an image and its first row; false gives up.
using Rows = std::function<bool(std::uint32_t top, const partdiff_image &strip)>;

class Job : public detail::Owner<partdiff_job, partdiff_job_destroy, partdiff_job_error, partdiff_job_get_text> {
public:
    explicit Job(partdiff_job *handle) noexcept : Owner(handle) {}

    void set(const char *key, const std::string &value) { check(partdiff_job_set_text(get(), key, value.c_str())); }
    void set(const char *key, const char *value) { check(partdiff_job_set_text(get(), key, value)); }
    void set(const char *key, double value) { check(partdiff_job_set_real(get(), key, value)); }
    void set(const char *key, std::int64_t value) { check(partdiff_job_set_int(get(), key, value)); }
    void set(const char *key, int value) { check(partdiff_job_set_int(get(), key, value)); }

    void set_profile(const std::vector<std::uint8_t> &icc)
    {
        check(partdiff_job_set_profile(get(), icc.empty() ? nullptr : icc.data(), icc.size()));
    }

    // Width and height of the result.
    std::pair<std::uint32_t, std::uint32_t> output_size(std::uint32_t width, std::uint32_t height) const
    {
        std::pair<std::uint32_t, std::uint32_t> size;
        check(partdiff_job_output_size(get(), width, height, &size.first, &size.second));
        return size;
    }

    // Enlarges an image. Images with a function are ignored but for their form, which the strips have. Exceptions
    // of the functions end the work and go on from here.
    void upscale(const partdiff_image &input, const partdiff_image &output, const Progress &progress = nullptr,
                 const Rows &read = nullptr, const Rows &write = nullptr)
    {
        Calls calls = {progress, read, write, nullptr};
        check(partdiff_job_set_progress(get(), progress ? on_progress : nullptr, &calls));
        const partdiff_status status =
            partdiff_upscale_strips(get(), &input, read ? on_read : nullptr, &calls, &output,
                                    write ? on_write : nullptr, &calls);
        partdiff_job_set_progress(get(), nullptr, nullptr);
        if (calls.thrown)
            std::rethrow_exception(calls.thrown);
        check(status);
    }

    // Cancels the run under way, else the next one; from any thread.
    void cancel() const { check(partdiff_job_cancel(get())); }

private:
    struct Calls {
        const Progress &progress;
        const Rows &read;
        const Rows &write;
        std::exception_ptr thrown;
    };

    // No exception may pass through C.
    template <typename Call> static std::int32_t kept(void *user, Call call)
    {
        Calls &calls = *static_cast<Calls *>(user);
        try {
            return call(calls) ? 0 : 1;
        } catch (...) {
            calls.thrown = std::current_exception();
            return 1;
        }
    }

    static std::int32_t on_progress(void *user, double fraction, std::uint32_t step, std::uint32_t steps)
    {
        return kept(user, [&](Calls &calls) { return calls.progress(fraction, step, steps); });
    }
    static std::int32_t on_read(void *user, std::uint32_t top, const partdiff_image *strip)
    {
        return kept(user, [&](Calls &calls) { return calls.read(top, *strip); });
    }
    static std::int32_t on_write(void *user, std::uint32_t top, const partdiff_image *strip)
    {
        return kept(user, [&](Calls &calls) { return calls.write(top, *strip); });
    }
};

class Model
    : public detail::Owner<partdiff_model, partdiff_model_destroy, partdiff_model_error, partdiff_model_get_text> {
public:
    explicit Model(partdiff_model *handle) noexcept : Owner(handle) {}

    Job job() const
    {
        partdiff_job *handle = nullptr;
        check(partdiff_job_create(get(), &handle));
        return Job(handle);
    }

    // The number with that key; see partdiff.h.
    std::int64_t number(const char *key) const
    {
        std::int64_t value = 0;
        check(partdiff_model_get_int(get(), key, &value));
        return value;
    }

    // Names of the presets, fewest steps first.
    std::vector<std::string> presets() const { return lines("presets"); }
};

class Context
    : public detail::Owner<partdiff_context, partdiff_context_destroy, partdiff_context_error,
                           partdiff_context_get_text> {
public:
    Context() : Owner(create()) {}

    void set(const char *key, const char *value) { check(partdiff_context_set_text(get(), key, value)); }
    void set(const char *key, std::int64_t value) { check(partdiff_context_set_int(get(), key, value)); }
    void set(const char *key, int value) { check(partdiff_context_set_int(get(), key, value)); }

    // Names of the models inside the library.
    std::vector<std::string> models() const { return lines("models"); }

    // A model by name or path; null for the default.
    Model open(const char *name = nullptr) const
    {
        partdiff_model *handle = nullptr;
        check(partdiff_model_open(get(), name, &handle));
        return Model(handle);
    }

private:
    static partdiff_context *create()
    {
        partdiff_context *handle = nullptr;
        const partdiff_status status = partdiff_context_create(PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, &handle);
        if (status != PARTDIFF_STATUS_OK)
            throw Error(status, partdiff_status_text(status));
        return handle;
    }
};

} // namespace partdiff

#endif
