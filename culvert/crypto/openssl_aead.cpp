#include <utility>

#include "culvert/crypto/aead_backends.h"
#include "culvert/crypto/openssl.h"

namespace culvert::crypto::detail {
namespace {

const EVP_CIPHER* chacha20_poly1305() {
    static const EVP_CIPHER* const kCipher = [] {
        const auto* cipher = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
        require(cipher != nullptr, "ChaCha20-Poly1305");
        return cipher;
    }();
    return kCipher;
}

/// A context per direction, keyed once; a packet only sets the nonce. Fetching the cipher or setting the key per
/// packet would cost more than encrypting it.
class OpenSslContext final : public AeadContext {
public:
    explicit OpenSslContext(const Secret<32>& key) : sealing_{EVP_CIPHER_CTX_new()}, opening_{EVP_CIPHER_CTX_new()} {
        require(sealing_ != nullptr && opening_ != nullptr, "EVP_CIPHER_CTX_new");
        const auto* const bytes = raw(std::as_const(key).reveal().data());
        require(EVP_EncryptInit_ex2(sealing_, chacha20_poly1305(), bytes, nullptr, nullptr) == 1, "EVP_EncryptInit");
        require(EVP_DecryptInit_ex2(opening_, chacha20_poly1305(), bytes, nullptr, nullptr) == 1, "EVP_DecryptInit");
    }
    ~OpenSslContext() override {
        EVP_CIPHER_CTX_free(sealing_);
        EVP_CIPHER_CTX_free(opening_);
    }

    void seal(const Nonce& nonce, ByteSpan plaintext, MutableByteSpan out) override {
        int length = 0;
        bool ok = EVP_EncryptInit_ex2(sealing_, nullptr, nullptr, raw(nonce.data()), nullptr) == 1;
        ok = ok && EVP_EncryptUpdate(sealing_, raw(out.data()), &length, raw(plaintext.data()),
                                     static_cast<int>(plaintext.size())) == 1;
        ok = ok && EVP_EncryptFinal_ex(sealing_, raw(out.data() + plaintext.size()), &length) == 1;
        ok = ok && EVP_CIPHER_CTX_ctrl(sealing_, EVP_CTRL_AEAD_GET_TAG, kTagSize, out.data() + plaintext.size()) == 1;
        require(ok, "sealing a packet");
    }

    bool open(const Nonce& nonce, MutableByteSpan in_place) override {
        const auto ciphertext = in_place.first(in_place.size() - kTagSize);
        int length = 0;
        return EVP_DecryptInit_ex2(opening_, nullptr, nullptr, raw(nonce.data()), nullptr) == 1 &&
               EVP_CIPHER_CTX_ctrl(opening_, EVP_CTRL_AEAD_SET_TAG, kTagSize, in_place.data() + ciphertext.size()) ==
                   1 &&
               EVP_DecryptUpdate(opening_, raw(ciphertext.data()), &length, raw(ciphertext.data()),
                                 static_cast<int>(ciphertext.size())) == 1 &&
               EVP_DecryptFinal_ex(opening_, raw(in_place.data() + ciphertext.size()), &length) == 1;
    }

private:
    EVP_CIPHER_CTX* sealing_;
    EVP_CIPHER_CTX* opening_;
};

}  // namespace

std::unique_ptr<AeadContext> make_openssl_context(const Secret<32>& key) {
    return std::make_unique<OpenSslContext>(key);
}

}  // namespace culvert::crypto::detail
