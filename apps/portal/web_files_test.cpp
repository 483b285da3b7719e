#include "apps/portal/web_files.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace culvert::portal_server {
namespace {

class Web : public testing::Test {
protected:
    Web() {
        std::string folder = testing::TempDir() + "culvert-web-XXXXXX";
        root_ = std::filesystem::path{::mkdtemp(folder.data())} / "dist";
        write("index.html", "<meta content=\"__CSP_NONCE__\"><p>pages</p>");
        write("assets/app-1a2b.js", std::string(10'000, 'x'));
        write("favicon.svg", "<svg/>");
        std::ofstream{root_ / ".." / "secret"} << "secret";
    }
    ~Web() override { std::filesystem::remove_all(root_.parent_path()); }

    void write(const std::string& name, const std::string& content) const {
        std::filesystem::create_directories((root_ / name).parent_path());
        std::ofstream{root_ / name} << content;
    }
    http::Response get(const std::string& path, const WebFiles::Wish& wish = {}) {
        return WebFiles::read(root_)->answer(path, wish, rng_);
    }
    static std::string header(const http::Response& response, std::string_view name) {
        for (const auto& [key, value] : response.headers) {
            if (key == name) {
                return value;
            }
        }
        return "";
    }

    std::filesystem::path root_;
    Rng rng_ = Rng::from_number(1);
};

TEST_F(Web, AnswersPathsOfPagesWithTheIndex) {
    for (const auto* path : {"/admin/", "/admin/index.html", "/admin/sites", "/admin/sites/123"}) {
        const auto response = get(path);
        EXPECT_EQ(response.status, 200U) << path;
        EXPECT_EQ(response.content_type, "text/html; charset=utf-8");
        EXPECT_NE(response.body.find("pages"), std::string::npos) << path;
    }
    EXPECT_EQ(get("/admin/assets/missing.js").status, 404U);
}

TEST_F(Web, NamesAnotherNonceEachTime) {
    const auto first = get("/admin/");
    const auto second = get("/admin/");
    EXPECT_NE(first.body, second.body);
    const auto policy = header(first, "Content-Security-Policy");
    const auto nonce = first.body.substr(15, 22);
    EXPECT_NE(policy.find("style-src 'self' 'nonce-" + nonce + "'"), std::string::npos) << policy << first.body;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(header(first, "Cache-Control"), "") << "never kept";
}

TEST_F(Web, LeadsOutOfTheFolderByNoPath) {
    for (const auto* path :
         {"/admin/../secret", "/admin/assets/../../secret", "/admin//secret", "/admin/../../../etc/passwd"}) {
        EXPECT_EQ(get(path).body.find("secret"), std::string::npos) << path;
    }
    std::filesystem::create_symlink(root_ / ".." / "secret", root_ / "link.txt");
    EXPECT_EQ(get("/admin/link.txt").status, 404U);
}

TEST_F(Web, SendsLessToThoseWhoTakeIt) {
    const auto plain = get("/admin/assets/app-1a2b.js");
    EXPECT_EQ(plain.body.size(), 10'000U);
    EXPECT_EQ(header(plain, "Content-Encoding"), "");
    EXPECT_EQ(header(plain, "Cache-Control"), "public, max-age=31536000, immutable");
    const auto compressed = get("/admin/assets/app-1a2b.js", {.accept_encoding = "br, gzip"});
    EXPECT_EQ(header(compressed, "Content-Encoding"), "gzip");
    EXPECT_LT(compressed.body.size(), 200U);
    EXPECT_EQ(get("/admin/favicon.svg", {.accept_encoding = "gzip"}).body, "<svg/>") << "not worth it";
}

TEST_F(Web, DoesNotSendWhatTheBrowserHas) {
    const auto etag = header(get("/admin/favicon.svg"), "ETag");
    const auto response = get("/admin/favicon.svg", {.if_none_match = etag});
    EXPECT_EQ(response.status, 304U);
    EXPECT_EQ(response.body, "");
}

TEST_F(Web, WantsAnIndex) {
    std::filesystem::remove(root_ / "index.html");
    EXPECT_NE(WebFiles::read(root_).error().find("--web-root"), std::string::npos);
    EXPECT_FALSE(WebFiles::read("/nonexistent/folder"));
}

}  // namespace
}  // namespace culvert::portal_server
