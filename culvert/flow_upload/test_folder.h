#pragma once

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "culvert/portal_api/ingest_token.h"

/// What tests of the spool have in common.
namespace culvert::flow_upload::test {

/// A folder of its own that goes away.
class Folder {
public:
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "culvert-spool-XXXXXX";
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

inline Uuid uuid(std::uint8_t number) {
    std::array<std::uint8_t, 16> bytes{};
    bytes.back() = number;
    return Uuid{bytes};
}

inline std::string token(std::uint8_t authorization, UnixSeconds expires_at,
                         portal_api::FlowRole role = portal_api::FlowRole::kInitiator) {
    portal_api::IngestClaims claims;
    claims.expires_at = expires_at;
    claims.uploads_enabled = true;
    claims.role = role;
    claims.policy_authorization = uuid(authorization);
    return portal_api::sign_ingest_token(claims, {});
}

inline std::string content(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace culvert::flow_upload::test
