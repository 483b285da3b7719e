#include "culvert/session/device_id.h"

#include <fcntl.h>
#include <sys/stat.h>
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
                               "\": " + std::strerror(error_number) +
                               ". This machine has no machine id to derive one from. Make the folder writable, run "
                               "systemd-machine-id-setup, or set FIREZONE_ID."};
    };
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    struct stat folder{};
    if (::stat(path.parent_path().c_str(), &folder) == 0 && (folder.st_mode & S_IWOTH) != 0) {
        return std::unexpected{"cannot keep the device id in \"" + path.parent_path().string() +
                               "\", where every user can put files. Run: chmod o-w " + path.parent_path().string() +
                               ", or set FIREZONE_ID."};
    }
    auto temporary = path;
    temporary += "." + std::to_string(::getpid());
    const io::FileDescriptor file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
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
    struct stat status{};
    if (::stat(file.c_str(), &status) == 0 &&
        ((status.st_uid != 0 && status.st_uid != ::geteuid()) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
        return std::unexpected{"other users can change the device id in \"" + file.string() +
                               "\". Check it, then run: chown " + std::to_string(::geteuid()) + " " + file.string() +
                               " && chmod 600 " + file.string() + ". Or set FIREZONE_ID."};
    }
    if (const auto content = read_file(file)) {
        if (auto id = parse_id(*content)) {
            return *id;
        }
        return std::unexpected{
            "\"" + file.string() +
            "\" holds no device id ({\"id\": \"...\"}). Delete it to get a new id, or set FIREZONE_ID."};
    }
    if (const auto content = read_file(machine_id); content && portal_api::is_machine_id(*content)) {
        return portal_api::derive_device_id(app_id, *content);
    }
    // Another process may have written one meanwhile, so what counts is what is there afterwards.
    const auto id = portal_api::generate_device_id(rng);
    if (const auto written = write_new(file, boost::json::serialize(boost::json::object{{"id", id}})); !written) {
        return std::unexpected{written.error()};
    }
    if (const auto content = read_file(file)) {
        if (auto kept = parse_id(*content)) {
            return *kept;
        }
    }
    return std::unexpected{"cannot keep the device id in \"" + file.string() +
                           "\": something else is there. Remove it, or set FIREZONE_ID."};
}

}  // namespace culvert::session
