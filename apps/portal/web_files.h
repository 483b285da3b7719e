#pragma once

#include <expected>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "culvert/base/rng.h"
#include "culvert/http/message.h"

namespace culvert::portal_server {

/// The administrators' pages: files that were built, read once at start. What is asked for is looked up by name, so no
/// path leads out of the folder.
class WebFiles {
public:
    /// All regular files below `root`. The error is a sentence for a person.
    [[nodiscard]] static std::expected<WebFiles, std::string> read(const std::filesystem::path& root);

    [[nodiscard]] bool is_empty() const { return files_.empty(); }
    [[nodiscard]] std::size_t size() const { return files_.size(); }

    /// What the browser says it has and takes.
    struct Wish {
        std::string_view if_none_match = {};
        std::string_view accept_encoding = {};
    };
    /// `path` begins with kWebPath. Paths that are no files belong to the pages themselves, which begin at index.html.
    [[nodiscard]] http::Response answer(std::string_view path, const Wish& wish, Rng& rng) const;

private:
    struct File {
        std::string content;
        /// Empty: not worth it.
        std::string gzip;
        std::string etag;
        std::string_view type;
    };

    [[nodiscard]] static http::Response answer_page(const File& index, Rng& rng);

    /// By the path behind kWebPath.
    std::map<std::string, File, std::less<>> files_;
};

/// Where the pages are.
inline constexpr std::string_view kWebPath = "/admin/";

}  // namespace culvert::portal_server
