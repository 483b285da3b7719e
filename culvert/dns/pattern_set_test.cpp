#include "culvert/dns/pattern_set.h"

#include <string>

#include <gtest/gtest.h>

#include "culvert/base/rng.h"
#include "culvert/base/testing/repetitions.h"
#include "culvert/dns/test_messages.h"

namespace culvert::dns {
namespace {

using test::name;

ResourceId id(std::uint8_t number) {
    return ResourceId{Uuid{std::array<std::uint8_t, 16>{number}}};
}

ResourceId random_id(Rng& rng) {
    std::array<std::uint8_t, 16> bytes{};
    for (auto& byte : bytes) {
        byte = static_cast<std::uint8_t>(rng());
    }
    return ResourceId{Uuid{bytes}};
}

Pattern pattern(std::string_view text) {
    return Pattern::parse(text).value();
}

std::string winner(std::initializer_list<std::string_view> patterns, std::string_view asked) {
    PatternSet set;
    std::uint8_t number = 0;
    for (const auto text : patterns) {
        set.add(id(++number), pattern(text));
    }
    const auto match = set.match(name(asked));
    return match ? std::string{patterns.begin()[match->uuid().bytes()[0] - 1]} : "none";
}

// The table of spec/dns.md section 5.2.
TEST(PatternSet, FindsTheMostSpecificPattern) {
    EXPECT_EQ(winner({"**.example.com", "foo.example.com"}, "foo.example.com"), "foo.example.com");
    EXPECT_EQ(winner({"?.example.com", "*.example.com", "**.example.com"}, "a.example.com"), "?.example.com");
    EXPECT_EQ(winner({"???.example.com", "*.example.com"}, "foo.example.com"), "???.example.com");
    EXPECT_EQ(winner({"f?o.example.com", "???.example.com"}, "foo.example.com"), "f?o.example.com");
    EXPECT_EQ(winner({"*.example.com", "example.com"}, "example.com"), "example.com");
    EXPECT_EQ(winner({"**.foo.example.com", "**.example.com"}, "x.foo.example.com"), "**.foo.example.com");
    EXPECT_EQ(winner({"*.*.example.com", "**.example.com"}, "a.b.example.com"), "*.*.example.com");
    EXPECT_EQ(winner({"foo.*.example.com", "**.example.com"}, "foo.b.example.com"), "foo.*.example.com");
    EXPECT_EQ(winner({"*-prod.example.com", "*.example.com"}, "db-prod.example.com"), "*-prod.example.com");
    EXPECT_EQ(winner({"**.com", "*.example.com"}, "www.example.com"), "*.example.com");
    EXPECT_EQ(winner({"db-*.example.com", "*.example.com"}, "db-1.example.com"), "*.example.com");
    EXPECT_EQ(winner({"a.**.example.com", "*.example.com"}, "a.example.com"), "*.example.com");
    EXPECT_EQ(winner({"a.example.com", "**.example.org"}, "b.example.com"), "none");
    EXPECT_EQ(winner({"**.com", "*.example.com"}, "EXAMPLE.com"), "*.example.com");
}

TEST(PatternSet, OfSeveralResourcesWithOnePatternTheLastCounts) {
    PatternSet set;
    set.add(id(1), pattern("*.example.com"));
    set.add(id(2), pattern("*.example.com"));
    EXPECT_EQ(set.match(name("a.example.com")), id(2));

    set.remove(id(2));

    EXPECT_EQ(set.match(name("a.example.com")), id(1));
    set.remove(id(1));
    EXPECT_EQ(set.match(name("a.example.com")), std::nullopt);
    EXPECT_EQ(set.size(), 0U);
}

TEST(PatternSet, AResourceHasOnePattern) {
    PatternSet set;
    set.add(id(1), pattern("a.example.com"));
    set.add(id(1), pattern("b.example.com"));
    EXPECT_EQ(set.match(name("a.example.com")), std::nullopt);
    EXPECT_EQ(set.match(name("b.example.com")), id(1));
    set.remove(id(7));
    EXPECT_EQ(set.size(), 1U);
}

TEST(PatternSet, OfTenThousandPatternsCostsWhatTenCost) {
    const auto fill = [](PatternSet& set, unsigned count) {
        auto rng = Rng::from_number(5);
        for (unsigned i = 0; i < count; ++i) {
            const auto number = std::to_string(i);
            for (const auto& text : {"host" + number + ".corp.example", "*.site" + number + ".example",
                                     "**.dev" + number + ".corp.example", "db-*-" + number + ".corp.example"}) {
                set.add(random_id(rng), pattern(text));
            }
        }
        set.add(id(1), pattern("*.corp.example"));
    };
    PatternSet few;
    fill(few, 3);
    PatternSet many;
    fill(many, 2500);
    for (const auto* asked :
         {"host1.corp.example", "unknown.corp.example", "a.b.dev2.corp.example", "www.site1.example",
          "db-a-b-2.corp.example", "www.example.org", "host2499.corp.example"}) {
        EXPECT_LE(many.cost(name(asked)), few.cost(name(asked)) + 40) << asked;
        EXPECT_LE(many.cost(name(asked)), 100U) << asked;
    }
    EXPECT_EQ(many.size(), 10'001U);
}

/// The rules of section 5.2, word by word.
bool comes_before(const std::string& a, const std::string& b) {
    const auto is_wildcard = [](char c) { return c == '*' || c == '?'; };
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
        const char x = i < a.size() ? a[a.size() - 1 - i] : '\0';
        const char y = i < b.size() ? b[b.size() - 1 - i] : '\0';
        if (x == y) {
            continue;
        }
        if (is_wildcard(x) && is_wildcard(y)) {
            return x == '?';
        }
        if (is_wildcard(x) || is_wildcard(y)) {
            return is_wildcard(y);
        }
        if (x == '\0' || y == '\0') {
            return x == '\0';
        }
        return x > y;
    }
    return false;
}

using Labels = std::vector<std::string>;

Labels labels_of(std::string_view text) {
    Labels labels{""};
    for (const char c : text) {
        if (c == '.') {
            labels.emplace_back();
        } else {
            labels.back() += c;
        }
    }
    return labels;
}

bool label_matches(std::string_view pattern_label, std::string_view label) {
    if (pattern_label.empty()) {
        return label.empty();
    }
    if (pattern_label[0] == '*') {
        return label_matches(pattern_label.substr(1), label) ||
               (!label.empty() && label_matches(pattern_label, label.substr(1)));
    }
    return !label.empty() && (pattern_label[0] == '?' || pattern_label[0] == label[0]) &&
           label_matches(pattern_label.substr(1), label.substr(1));
}

bool labels_match(std::span<const std::string> patterns, std::span<const std::string> labels) {
    if (patterns.empty()) {
        return labels.empty();
    }
    if (patterns[0] == "**") {
        const bool is_last = patterns.size() == 1;
        return (!is_last && labels_match(patterns.subspan(1), labels)) ||
               (!labels.empty() && (is_last || labels_match(patterns, labels.subspan(1))));
    }
    return !labels.empty() && label_matches(patterns[0], labels[0]) &&
           labels_match(patterns.subspan(1), labels.subspan(1));
}

bool plainly_matches(const std::string& text, const std::string& asked) {
    return labels_match(labels_of(text), labels_of(asked)) || (text.starts_with("*.") && text.substr(2) == asked);
}

TEST(PatternSet, AgreesWithTheSpecificationsWords) {
    auto rng = Rng::from_number(11);
    const auto pick = [&](std::initializer_list<std::string_view> choices) {
        return std::string{choices.begin()[rng() % choices.size()]};
    };
    const auto some_label = [&] {
        std::string text;
        for (auto count = 1 + rng() % 3; count > 0; --count) {
            text += pick({"a", "b", "-", "*", "?"});
        }
        return text.find("**") == std::string::npos ? text : "**";
    };
    const auto join = [&](auto make, std::size_t count) {
        std::string text = make();
        for (std::size_t i = 1; i < count; ++i) {
            text += '.' + make();
        }
        return text;
    };
    for (int round = 0; round < repetitions(150); ++round) {
        PatternSet set;
        std::map<ResourceId, std::string> texts;
        for (int i = 0; i < 12; ++i) {
            const auto text = join(some_label, 1 + rng() % 4);
            if (text.find("**.**") == std::string::npos) {
                const auto resource = random_id(rng);
                set.add(resource, pattern(text));
                texts.emplace(resource, text);
            }
        }
        while (texts.size() > 8) {
            set.remove(texts.begin()->first);
            texts.erase(texts.begin());
        }
        for (int i = 0; i < 60; ++i) {
            const auto asked = join([&] { return pick({"a", "b", "ab", "ba", "aab", "a-b", "-"}); }, 1 + rng() % 4);
            std::optional<std::string> expected;
            for (const auto& [resource, text] : texts) {
                const bool does_match = plainly_matches(text, asked);
                ASSERT_EQ(pattern(text).matches(name(asked)), does_match) << text << " " << asked;
                if (does_match && (!expected || comes_before(text, *expected))) {
                    expected = text;
                }
            }
            const auto found = set.match(name(asked));
            ASSERT_EQ(found ? std::optional{texts.at(*found)} : std::nullopt, expected) << asked;
        }
    }
}

}  // namespace
}  // namespace culvert::dns
