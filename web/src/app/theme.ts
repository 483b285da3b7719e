import { createTheme } from "@mantine/core";

/** Only what no style sheet can say; colours stand in style/theme.css, since nothing may inject styles. */
export const theme = createTheme({
  cursorType: "pointer",
  respectReducedMotion: true,
});
