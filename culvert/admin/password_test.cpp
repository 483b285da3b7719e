#include "culvert/admin/password.h"

#include <gtest/gtest.h>

namespace culvert::admin {
namespace {

/// As little as the algorithm takes: tests need not wait.
constexpr PasswordCost kCheap{.passes = 1, .memory = 8192};

TEST(Password, MatchesItsHashOnly) {
    const auto hash = hash_password("correct horse battery", kCheap);
    EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$")) << hash;
    EXPECT_TRUE(password_matches("correct horse battery", hash));
    EXPECT_FALSE(password_matches("correct horse batterY", hash));
    EXPECT_FALSE(password_matches("", hash));
    EXPECT_FALSE(password_matches("correct horse battery", ""));
    EXPECT_FALSE(password_matches("correct horse battery", "no hash"));
}

TEST(Password, HasASaltOfItsOwn) {
    EXPECT_NE(hash_password("correct horse battery", kCheap), hash_password("correct horse battery", kCheap));
}

TEST(Password, CostsMuchUnlessToldOtherwise) {
    EXPECT_TRUE(hash_password("correct horse battery").starts_with("$argon2id$v=19$m=65536,t=2,p=1$"));
}

TEST(Password, HasALengthInBytes) {
    EXPECT_TRUE(password_problem(std::string(11, 'x')));
    EXPECT_FALSE(password_problem(std::string(12, 'x')));
    EXPECT_FALSE(password_problem(std::string(72, 'x')));
    EXPECT_TRUE(password_problem(std::string(73, 'x')));
    EXPECT_FALSE(password_problem("äöüäöü"));
    EXPECT_TRUE(password_problem(std::string("twelve bytes") + '\0'));
    EXPECT_TRUE(password_problem("twelve bytes\xff"));
}

}  // namespace
}  // namespace culvert::admin
