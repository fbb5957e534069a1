package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	keySize   = 32
	storeSize = 16 // random bytes that name a store
)

// A sealed record is
//
//	magic, version, store id, generation, length | nonce | ciphertext and tag
//
// and whatever follows: a reserved file may be longer than what is in it. The
// header is authenticated but not secret; the account id is authenticated and
// not even there, so that no record can be put in another account's place.
const (
	sealMagic   = "OMXV"
	sealVersion = 1

	offVersion    = len(sealMagic)
	offStore      = offVersion + 1
	offGeneration = offStore + storeSize
	offLength     = offGeneration + 8
	headerSize    = offLength + 4
	sealOverhead  = headerSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// errSeal says that bytes are no sealed record of this store and account.
var errSeal = errors.New("not a sealed record of this account and vault")

// sealer holds the store's key, in the forms it is used in.
type sealer struct {
	store  [storeSize]byte
	aead   cipher.AEAD
	tokens []byte // key of the HMACs in intent records
	check  string // tells the store's key from another one; no secret
}

func newSealer(key []byte, store [storeSize]byte) (*sealer, error) {
	derive := func(use string, n int) ([]byte, error) {
		return hkdf.Key(sha256.New, key, store[:], "oauthmux vault "+use, n)
	}
	records, err := derive("records", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	defer clear(records)
	tokens, err := derive("intents", sha256.Size)
	if err != nil {
		return nil, err
	}
	check, err := derive("check", 16)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(records)
	if err != nil {
		return nil, err
	}
	return &sealer{store: store, aead: aead, tokens: tokens, check: hex.EncodeToString(check)}, nil
}

// seal encrypts plain as the account's record of that generation.
func (s *sealer) seal(account string, generation uint64, plain []byte) []byte {
	out := make([]byte, headerSize+chacha20poly1305.NonceSizeX, sealOverhead+len(plain))
	copy(out, sealMagic)
	out[offVersion] = sealVersion
	copy(out[offStore:], s.store[:])
	binary.BigEndian.PutUint64(out[offGeneration:], generation)
	binary.BigEndian.PutUint32(out[offLength:], uint32(len(plain)+chacha20poly1305.Overhead)) //nolint:gosec // bounded by maxFile
	nonce := out[headerSize:]
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(out, nonce, plain, additional(out[:headerSize], account))
}

// unseal returns what seal was given, or errSeal.
func (s *sealer) unseal(account string, data []byte) (generation uint64, plain []byte, err error) {
	generation, store, ok := peek(data)
	if !ok || store != s.store {
		return 0, nil, errSeal
	}
	length := uint64(binary.BigEndian.Uint32(data[offLength:]))
	rest := data[headerSize:]
	if length < chacha20poly1305.Overhead || uint64(len(rest)) < chacha20poly1305.NonceSizeX+length {
		return 0, nil, errSeal
	}
	nonce, text := rest[:chacha20poly1305.NonceSizeX], rest[chacha20poly1305.NonceSizeX:][:length]
	plain, err = s.aead.Open(nil, nonce, text, additional(data[:headerSize], account))
	if err != nil {
		return 0, nil, errSeal
	}
	return generation, plain, nil
}

// token returns what an intent record remembers of a refresh token.
func (s *sealer) token(refreshToken string) string {
	mac := hmac.New(sha256.New, s.tokens)
	mac.Write([]byte(refreshToken))
	return hex.EncodeToString(mac.Sum(nil))
}

// peek reads a header without a key: nothing in it has been authenticated.
func peek(data []byte) (generation uint64, store [storeSize]byte, ok bool) {
	if len(data) < sealOverhead || !bytes.HasPrefix(data, []byte(sealMagic)) || data[offVersion] != sealVersion {
		return 0, store, false
	}
	copy(store[:], data[offStore:])
	return binary.BigEndian.Uint64(data[offGeneration:]), store, true
}

func additional(header []byte, account string) []byte {
	return append(append([]byte("oauthmux record\x00"), header...), account...)
}
