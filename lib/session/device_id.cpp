#include "culvert/session/device_id.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include <boost/json.hpp>

#include "culvert/io/file_descriptor.h"
#include "culvert/portal_api/external_id.h"

namespace culvert::session {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> read_file(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) {
        return std::nullopt;
    }
    return std::string{std::istreambuf_iterator<char>{file}, {}};
}

std::optional<std::string> parse_id(const std::string& text) {
    boost::system::error_code error;
    const auto document = boost::json::parse(text, error);
    if (error || !document.is_object()) {
        return std::nullopt;
    }
    const auto* id = document.get_object().if_contains("id");
    if (id == nullptr || !id->is_string() || id->get_string().empty()) {
        return std::nullopt;
    }
    return std::string{id->get_string()};
}

/// Complete or not at all, and never over an id that another process has just written.
std::expected<void, std::string> write_new(const fs::path& path, const std::string& text) {
    const auto failed = [&](int error_number) {
        return std::unexpected{"cannot write the device id to \"" + path.string() +
                               "\": " + std::strerror(error_number) + ". Make the folder writable or set FIREZONE_ID."};
    };
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    auto temporary = path;
    temporary += "." + std::to_string(::getpid());
    const io::FileDescriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640)};
    if (!file) {
        return failed(errno);
    }
    const auto written = ::write(file.get(), text.data(), text.size());
    const int write_error = written == static_cast<ssize_t>(text.size()) ? 0 : errno;
    const int link_error = write_error == 0 && ::link(temporary.c_str(), path.c_str()) != 0 ? errno : 0;
    ::unlink(temporary.c_str());
    if (write_error != 0) {
        return failed(write_error);
    }
    if (link_error != 0 && link_error != EEXIST) {
        return failed(link_error);
    }
    return {};
}

}  // namespace

std::expected<std::string, std::string> load_device_id(const fs::path& file, std::string_view app_id, Rng& rng,
                                                       const fs::path& machine_id) {
    if (const auto content = read_file(file)) {
        if (auto id = parse_id(*content)) {
            return *id;
        }
        return std::unexpected{
            "\"" + file.string() +
            "\" holds no device id ({\"id\": \"...\"}). Delete it to get a new id, or set FIREZONE_ID."};
    }
    if (const auto content = read_file(machine_id); content && !content->empty()) {
        return portal_api::derive_device_id(app_id, *content);
    }
    const auto id = portal_api::generate_device_id(rng);
    if (const auto written = write_new(file, boost::json::serialize(boost::json::object{{"id", id}})); !written) {
        return std::unexpected{written.error()};
    }
    return id;
}

}  // namespace culvert::session
