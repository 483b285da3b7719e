#include "apps/portal/web_files.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "apps/portal/constants.h"
#include "culvert/base/base64.h"
#include "culvert/crypto/hash.h"

namespace culvert::portal_server {
namespace {

constexpr std::string_view kIndex = "index.html";
constexpr std::string_view kNonce = "__CSP_NONCE__";
/// What Vite names by its content.
constexpr std::string_view kHashedFolder = "assets/";

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kTypes = {
    {{".html", "text/html; charset=utf-8"},
     {".js", "text/javascript; charset=utf-8"},
     {".mjs", "text/javascript; charset=utf-8"},
     {".css", "text/css; charset=utf-8"},
     {".json", "application/json"},
     {".map", "application/json"},
     {".svg", "image/svg+xml"},
     {".png", "image/png"},
     {".ico", "image/x-icon"},
     {".webp", "image/webp"},
     {".woff2", "font/woff2"},
     {".txt", "text/plain; charset=utf-8"}}};

std::string_view type_of(std::string_view name) {
    const auto found = std::ranges::find_if(kTypes, [&](const auto& type) { return name.ends_with(type.first); });
    return found == kTypes.end() ? "application/octet-stream" : found->second;
}

/// Empty if that is not shorter by much.
std::string compress(const std::string& content) {
    z_stream stream{};
    constexpr int kGzip = 15 + 16;  // the largest window, with gzip's header
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return "";
    }
    std::string compressed(deflateBound(&stream, static_cast<uLong>(content.size())), '\0');
    auto input = content;  // which zlib takes as changeable
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
    stream.avail_out = static_cast<uInt>(compressed.size());
    const bool is_done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    compressed.resize(stream.total_out);
    deflateEnd(&stream);
    return is_done && compressed.size() < content.size() / 10 * 9 ? compressed : "";
}

std::string policy(const std::string& nonce) {
    return "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce +
           "'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
           "frame-ancestors 'none'";
}

bool takes_gzip(std::string_view accept_encoding) {
    const auto at = accept_encoding.find("gzip");
    return at != std::string_view::npos && !accept_encoding.substr(at).starts_with("gzip;q=0");
}

}  // namespace

std::expected<WebFiles, std::string> WebFiles::read(const std::filesystem::path& root) {
    WebFiles files;
    std::size_t total = 0;
    try {
        for (const auto& entry : std::filesystem::recursive_directory_iterator{root}) {
            if (!entry.is_regular_file() || entry.is_symlink()) {
                continue;
            }
            std::ifstream in{entry.path(), std::ios::binary};
            std::string content{std::istreambuf_iterator<char>{in}, {}};
            total += content.size();
            if (in.bad() || !in || total > kMaxWebBytes || files.files_.size() == kMaxWebFiles) {
                return std::unexpected{"cannot read the pages in \"" + root.string() +
                                       "\": a file cannot be read, or they are too many or too large"};
            }
            const auto name = entry.path().lexically_relative(root).generic_string();
            const auto digest = crypto::sha256(as_bytes(content));
            File file{.content = std::move(content),
                      .gzip = {},
                      .etag = "\"" + to_base64(ByteSpan{digest}.first(12), Base64::kUrlNoPadding) + "\"",
                      .type = type_of(name)};
            file.gzip = compress(file.content);
            files.files_.emplace(name, std::move(file));
        }
    } catch (const std::filesystem::filesystem_error& error) {
        return std::unexpected{"cannot read the pages in \"" + root.string() + "\": " + error.code().message()};
    }
    if (!files.files_.contains(kIndex)) {
        return std::unexpected{"there is no index.html in \"" + root.string() +
                               "\". Give --web-root the folder that \"npm run build\" makes (web/dist)."};
    }
    return files;
}

http::Response WebFiles::answer(std::string_view path, const Wish& wish, Rng& rng) const {
    auto name = path.substr(std::min(path.size(), kWebPath.size()));
    const auto file = files_.find(name);
    if (file == files_.end() || name == kIndex) {
        const auto last = name.substr(name.rfind('/') + 1);  // npos + 1 is 0
        const auto index = files_.find(kIndex);
        if (index == files_.end() || (last.find('.') != std::string_view::npos && name != kIndex)) {
            return {404, "There is nothing here.\n"};
        }
        return answer_page(index->second, rng);
    }
    const auto& found = file->second;
    const bool is_hashed = name.starts_with(kHashedFolder);
    http::Response response{.status = 200, .body = "", .content_type = std::string{found.type}};
    response.headers = {{"ETag", found.etag},
                        {"Vary", "Accept-Encoding"},
                        {"Cache-Control", is_hashed ? "public, max-age=31536000, immutable" : "no-cache"},
                        // Images of their own, too, are documents when they are opened by themselves.
                        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"}};
    if (wish.if_none_match == found.etag) {
        response.status = 304;
        response.content_type.clear();
        return response;
    }
    const bool is_compressed = !found.gzip.empty() && takes_gzip(wish.accept_encoding);
    response.body = is_compressed ? found.gzip : found.content;
    if (is_compressed) {
        response.headers.emplace_back("Content-Encoding", "gzip");
    }
    return response;
}

/// Each time with another nonce: what a page adds to itself by styles must name it.
http::Response WebFiles::answer_page(const File& index, Rng& rng) {
    const auto nonce = to_base64(rng.array<16>(), Base64::kUrlNoPadding);
    http::Response response{.status = 200, .body = index.content, .content_type = std::string{index.type}};
    for (std::size_t at = 0; (at = response.body.find(kNonce, at)) != std::string::npos; at += nonce.size()) {
        response.body.replace(at, kNonce.size(), nonce);
    }
    response.headers = {{"Content-Security-Policy", policy(nonce)}};
    return response;
}

}  // namespace culvert::portal_server
