
25mug