import js from "@eslint/js";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules", "test-results"] },
  js.configs.recommended,
  {
    files: ["**/*.ts", "**/*.tsx"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/prefer-nullish-coalescing": ["error", { ignorePrimitives: { string: true } }],
      // Which answer a request has is known to its caller alone.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
    },
  },
  { files: ["src/**/*.tsx", "src/**/*.ts"], ...hooks.configs.flat.recommended },
  // TanStack Table is not made for a compiler that we do not use.
  { files: ["src/**/*.tsx"], rules: { "react-hooks/incompatible-library": "off" } },
  { files: ["src/**/*.tsx"], ...a11y.flatConfigs.recommended },
);
